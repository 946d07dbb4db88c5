import type { Operation } from '../../domain/operation.ts';
import type { DeadReason } from '../../domain/outcome.ts';
import type { DeadLetterStatus } from '../../domain/record.ts';
import type { ResponseEntry } from '../../domain/reply.ts';
import { type Sql, statement } from '../sql.ts';
import { type Entry, readEntries, type Terms, termColumns } from './entries.ts';
import { type OrderOnRecord, readOrdersOf } from './orders.ts';
import { type CallRow, rowColumns } from './row.ts';

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

const CALL = statement(
  'calls.read',
  `select ${rowColumns}, ${termColumns}, e.name as dcustomer_name, p.name as peer_name
   from cdrs d cross join lateral (select d.*) as s
   left join customers c on c.id = d.scustomer left join customers e on e.id = d.dcustomer left join peers p on p.id = d.peer
   where d.uniqueid = $1`,
);

const PAST = statement('calls.is-past', 'select uniqueid from past_calls where uniqueid = $1');

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
  const [calls, past, line, named, orders] = await Promise.all([
    sql<CallDetail>(CALL, [uniqueid]),
    sql(PAST, [uniqueid]),
    readEntries(sql, [uniqueid]),
    sql<LetterOfCall>(LETTERS, [uniqueid]),
    readOrdersOf(sql, uniqueid),
  ]);
  const call = calls[0] ?? null;
  const entries = line.get(uniqueid) ?? [];
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
