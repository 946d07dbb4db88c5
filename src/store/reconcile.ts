import { sumSql } from '../domain/money.ts';
import { amountsDue, type Claim, isOnInvoice } from './claims.ts';
import type { Database } from './database.ts';
import { LATE_CALLS, LATE_ENTRIES } from './late/things.ts';
import { AMOUNTS, CORRECTIONS } from './reconcile-corrections.ts';
import { type Statement, statement } from './sql.ts';

/** One proof: its claim, how many rows it examined, and those that contradict it (at most 100 of them). */
export interface Proof {
  claim: string;
  examined: number;
  drift: number;
  examples: Example[];
}

/** A row by its columns; null where one of its terms is missing. */
type Example = Record<string, string | null>;

export interface Reconciliation {
  proofs: Proof[];
  /** What belongs on an invoice and none took, calls and corrections: not drift, but money that no bill shows. */
  uninvoiced: { currency: string; calls: number; corrections: number; cost: string; tax: string }[];
}

const EXAMPLES = 100;
const TIMEOUT_MS = 3_600_000;

/** Calls that are there, the sums of those that `prune` has taken out, and the corrections of both. */
const CUSTOMERS: Claim = {
  name: 'customers',
  claim: 'what each customer was charged is the sum of its calls and corrections',
  rows: `
    select c.id as customer, c.charged, ${sumSql('coalesce(s.charged, 0)')} as charged_due,
      c.calls, coalesce(s.calls, 0) as calls_due
    from customers c left join (
      select id, sum(charged) as charged, sum(calls) as calls from (
        select scustomer as id, sum(charged) as charged, count(*) as calls
        from cdrs where update_balance = 1 group by scustomer
        union all select key::int, charged, calls from past_sums where of = 'customer'
        union all select customer, sum(charged), sum(calls) from corrections group by customer
      ) as part group by id
    ) s on s.id = c.id`,
  key: 'customer',
  columns: ['charged', 'calls'],
};

const INVOICES: Claim = {
  name: 'invoices',
  claim: 'what each invoice shows is the sum of its calls and corrections',
  rows: `
    select i.id as invoice, i.calls, coalesce(s.calls, 0) as calls_due,
      i.cost, ${sumSql('coalesce(s.cost, 0)')} as cost_due,
      i.tax, ${sumSql('coalesce(s.tax, 0)')} as tax_due,
      i.total, ${sumSql('coalesce(s.cost + s.tax, 0)')} as total_due
    from invoices i left join (
      select id, sum(calls) as calls, sum(cost) as cost, sum(tax) as tax from (
        select invoice as id, count(*) as calls, sum(invoice_cost) as cost, sum(invoice_tax) as tax
        from cdrs where ${isOnInvoice('cdrs')} group by invoice
        union all select key::int, calls, cost, tax from past_sums where of = 'invoice'
        union all select invoice, sum(invoice_calls), sum(invoice_cost), sum(invoice_tax)
        from corrections where invoice is not null group by invoice
      ) as part group by id
    ) s on s.id = i.id`,
  key: 'invoice',
  columns: ['calls', 'cost', 'tax', 'total'],
};

const due = amountsDue('cdrs');

const CDRS: Claim = {
  name: 'cdrs',
  claim: "each call's amounts follow from the terms recorded on it",
  rows: `
    select uniqueid,
      tax, ${due.tax} as tax_due,
      charged, ${due.charged} as charged_due,
      invoice_cost, ${due.invoiceCost} as invoice_cost_due,
      invoice_tax, ${due.invoiceTax} as invoice_tax_due
    from cdrs`,
  key: 'uniqueid',
  columns: ['tax', 'charged', 'invoice_cost', 'invoice_tax'],
};

const PAST_CALLS: Claim = {
  name: 'past-calls',
  claim: 'no call is both stored and pruned',
  rows: `
    select p.uniqueid, c.uniqueid is not null as stored, false as stored_due
    from past_calls p left join cdrs c using (uniqueid)`,
  key: 'uniqueid',
  columns: ['stored'],
};

const UNINVOICED = statement(
  'reconcile.uninvoiced',
  `
  select currency, sum(calls)::int as calls, sum(corrections)::int as corrections,
    sum(cost)::text as cost, sum(tax)::text as tax
  from (
    select currency::text, count(*) as calls, 0 as corrections, sum(cost) as cost, sum(tax) as tax
    from ${LATE_CALLS} group by currency
    union all select currency::text, 0, count(*), sum(cost), sum(tax) from ${LATE_ENTRIES} group by currency
    union all select key, calls, 0, cost, tax from past_sums where of = 'uninvoiced'
  ) as part group by currency order by currency`,
);

/** True also where a missing term makes the due amount null. */
const differs = ({ columns }: Claim) =>
  columns.map((name) => `${name} is distinct from ${name}_due`).join(' or ');

/** Only counts, and computes each amount once: the texts of examples would cost twice as much as everything else. */
function countOf(claim: Claim): Statement {
  return statement(
    `reconcile.count-${claim.name}`,
    `
    select count(*)::int as examined, count(*) filter (where ${differs(claim)})::int as drift
    from (${claim.rows}) as claimed`,
  );
}

function examplesOf(claim: Claim): Statement {
  const names = [claim.key, ...claim.columns.flatMap((name) => [name, `${name}_due`])];
  const texts = names.map((name) => `${name}::text`).join(', ');
  return statement(
    `reconcile.examples-${claim.name}`,
    `select ${texts} from (${claim.rows}) as claimed where ${differs(claim)} limit ${EXAMPLES}`,
  );
}

const CLAIMS = [CUSTOMERS, INVOICES, CDRS, PAST_CALLS, CORRECTIONS, AMOUNTS].map((claim) => ({
  claim: claim.claim,
  count: countOf(claim),
  examples: examplesOf(claim),
}));

const SET_TIMEOUT = statement('reconcile.set-timeout', `select set_config('statement_timeout', $1, true)`);

/**
 * Proves from the database alone that nothing was charged twice or not at all, in one snapshot, so that it is
 * right while workers run. Reads every CDR four times; locks nothing. Throws what the database throws.
 */
export async function reconcile(database: Pick<Database, 'transaction'>): Promise<Reconciliation> {
  return await database.transaction(
    async (sql) => {
      await sql(SET_TIMEOUT, [String(TIMEOUT_MS)]);
      const proofs: Proof[] = [];
      for (const { claim, count, examples } of CLAIMS) {
        const [counts] = await sql<{ examined: number; drift: number }>(count, []);
        if (counts === undefined) continue;
        proofs.push({
          claim,
          ...counts,
          examples: counts.drift === 0 ? [] : await sql<Example>(examples, []),
        });
      }
      return { proofs, uninvoiced: await sql<Reconciliation['uninvoiced'][number]>(UNINVOICED, []) };
    },
    { isolationLevel: 'RepeatableRead', timeoutMs: TIMEOUT_MS },
  );
}
