import type { EntryKind } from '../../domain/entry.ts';
import type { Operation } from '../../domain/operation.ts';
import type { DeadReason } from '../../domain/outcome.ts';
import type { DeadLetterStatus } from '../../domain/record.ts';
import type { ResponseEntry } from '../../domain/reply.ts';
import { type Sql, statement } from '../sql.ts';
import { type OrderOnRecord, readOrdersOf } from './orders.ts';
import { type CallRow, rowColumns } from './row.ts';

/** A tax as it was charged: `amount` of its rate and flat part follows from these terms. */
export interface TaxTerm {
  id: number;
  /** Null for a tax that is gone. */
  name: string | null;
  rate: string;
  flat: string;
  /** Of `flat`; null is the system currency. */
  currency: string | null;
  currency_rate: string | null;
}

/** Rates in units of a currency per unit of the system currency. */
export interface Terms {
  system_rate: string;
  currency_rate: string;
  customer_rate: string;
  invoice_rate: string | null;
  tax_terms: TaxTerm[];
}

export interface InvoiceOfCall {
  id: number;
  customer: number;
  currency: string;
  status: string;
  period_start: Date;
  period_end: Date;
}

/** A call with the terms that it was charged on. */
export interface CallDetail extends CallRow, Terms {
  dcustomer_name: string | null;
  peer_name: string | null;
}

/** An entry of `corrections`, by column. */
export interface Entry extends Terms {
  id: string;
  kind: EntryKind;
  follows: string;
  late_entry: string | null;
  customer: number;
  customer_name: string | null;
  charged: string;
  calls: number;
  invoice: number | null;
  invoice_cost: string;
  invoice_tax: string;
  invoice_calls: number;
  late: boolean;
  cost: string;
  currency: string;
  tax: string;
  taxes: string;
  messages: number;
  time: number;
  update_balance: number;
  update_invoices: number;
  customer_currency: string;
  invoice_currency: string | null;
  booked_by: string;
  why: string | null;
  booked_at: Date;
}

export interface LetterOfCall {
  id: number;
  reason: DeadReason;
  status: DeadLetterStatus;
  operation: Operation;
  responses: ResponseEntry[];
  deaths: number;
  replays: number;
  first_dead_at: Date;
  last_dead_at: Date;
  closed_at: Date | null;
}

/** What the database knows of one uniqueid. */
export interface CallRecord {
  /** Null for a call that is not stored, or not any more. */
  call: CallDetail | null;
  /** `prune` has taken it out of `cdrs`; its uniqueid is never given to another. */
  pruned: boolean;
  /** In the order in which they follow each other. */
  entries: Entry[];
  /** Those that the call or an entry names, by id. */
  invoices: InvoiceOfCall[];
  /** Dead letters that the call came from or that have its uniqueid, in order of their first death. */
  deadLetters: LetterOfCall[];
  /** The latest first. */
  orders: OrderOnRecord[];
}

/** The recorded terms with the name that each tax has now; `s` is the row. */
const TERMS = `trim_scale(s.system_rate)::text as system_rate, trim_scale(s.currency_rate)::text as currency_rate,
  trim_scale(s.customer_rate)::text as customer_rate, trim_scale(s.invoice_rate)::text as invoice_rate,
  coalesce((select jsonb_agg(jsonb_build_object('id', t.id, 'name', x.name, 'rate', t.rate, 'flat', t.flat,
      'currency', t.currency, 'currency_rate', t.currency_rate) order by t.place)
    from rows from (jsonb_to_recordset(s.tax_terms) as (id int, rate text, flat text, currency text, currency_rate text))
      with ordinality as t(id, rate, flat, currency, currency_rate, place)
    left join taxes x on x.id = t.id), '[]') as tax_terms`;

const CALL = statement(
  'calls.read',
  `select ${rowColumns}, ${TERMS}, e.name as dcustomer_name, p.name as peer_name
   from cdrs d cross join lateral (select d.*) as s
   left join customers c on c.id = d.scustomer left join customers e on e.id = d.dcustomer left join peers p on p.id = d.peer
   where d.uniqueid = $1`,
);

const PAST = statement('calls.is-past', 'select uniqueid from past_calls where uniqueid = $1');

const ENTRIES = statement(
  'calls.entries',
  `with recursive line as (
     select s.*, 1 as place from corrections s where s.uniqueid = $1 and s.follows = ''
     union all select s.*, l.place + 1 from corrections s join line l on s.uniqueid = $1 and s.follows = l.id)
   select s.id, s.kind, s.follows, s.late_entry, s.customer, c.name as customer_name,
     trim_scale(s.charged)::text as charged, s.calls, s.invoice, trim_scale(s.invoice_cost)::text as invoice_cost,
     trim_scale(s.invoice_tax)::text as invoice_tax, s.invoice_calls, s.late, trim_scale(s.cost)::text as cost, s.currency,
     trim_scale(s.tax)::text as tax, s.taxes, s.messages, s.time, s.update_balance, s.update_invoices, s.customer_currency,
     s.invoice_currency, s.booked_by, s.why, s.booked_at, ${TERMS}
   from line s left join customers c on c.id = s.customer order by s.place`,
);

const INVOICES = statement(
  'calls.invoices',
  'select id, customer, currency, status, period_start, period_end from invoices where id = any($1::int[]) order by id',
);

const LETTER = `d.id::float8 as id, d.reason, d.status, d.operation, d.responses, d.deaths, d.replays, d.first_dead_at,
  d.last_dead_at, d.closed_at`;

const LETTERS = statement(
  'calls.dead-letters',
  `select ${LETTER} from dead_letters d where d.uniqueid = $1 order by d.first_dead_at, d.id`,
);

/** Without an index, so only looked for where a call was replayed. */
const RENAMED_LETTERS = statement(
  'calls.renamed-dead-letters',
  `select ${LETTER} from dead_letters d where d.status = 'resolved' and d.edits ->> 'uniqueid' = $1
   order by d.first_dead_at, d.id`,
);

/** Everything that the database knows of a uniqueid. */
export async function readCall(sql: Sql, uniqueid: string): Promise<CallRecord> {
  const [calls, past, entries, named, orders] = await Promise.all([
    sql<CallDetail>(CALL, [uniqueid]),
    sql(PAST, [uniqueid]),
    sql<Entry>(ENTRIES, [uniqueid]),
    sql<LetterOfCall>(LETTERS, [uniqueid]),
    readOrdersOf(sql, uniqueid),
  ]);
  const call = calls[0] ?? null;
  const isReplayed = call !== null && call.replayed_by !== null;
  const renamed = isReplayed ? await sql<LetterOfCall>(RENAMED_LETTERS, [uniqueid]) : [];
  const ids = [call?.invoice, ...entries.map(({ invoice }) => invoice)].filter((id) => id != null);
  const invoices = ids.length === 0 ? [] : await sql<InvoiceOfCall>(INVOICES, [ids]);
  return {
    call,
    pruned: past.length > 0,
    entries,
    invoices,
    deadLetters: [...renamed, ...named],
    orders,
  };
}
