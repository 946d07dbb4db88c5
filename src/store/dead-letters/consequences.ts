import { type Sql, unprepared } from '../sql.ts';
import { conditionOf, type DeadLetterFilter } from './filter.ts';
import type { Money } from './list.ts';

/** What an act on a set of dead letters is about, shown before it is done. */
export interface Consequences {
  count: number;
  /** Those of senders who are not verified; their costs are no money at stake. */
  unverified: number;
  at_stake: Money[];
  /** The customers with the most of them, currency by currency. */
  by_customer: CustomerShare[];
  /** The customers beyond those; null if there are none. */
  others: { customers: number; count: number } | null;
  /** First death of the oldest; null if there is none. */
  oldest: Date | null;
  /** Of exactly these dead letters as they are: an act that is given it does nothing to any others. */
  fingerprint: string;
}

export interface CustomerShare {
  customer: number | null;
  /** Null for a customer that does not exist. */
  name: string | null;
  currency: string;
  count: number;
  cost: string;
}

const CUSTOMERS_SHOWN = 20;

/** A hash of a row as it is. */
export const rowMark =
  'hash_record_extended(row(d.id, d.replays, d.edits, d.mended_body, d.last_dead_at), 0)';

/** The fingerprint of rows whose column `mark` is `rowMark`: their number and all their hashes in one. */
export const fingerprintOf = `count(*) || '-' || coalesce(bit_xor(mark), 0)`;

/**
 * What an act on the selected dead letters is about. A filter that also has `until` leaves out what dies from then on, so that
 * the set stays what it is while somebody reads. Throws what the database throws.
 */
export async function readConsequences(
  sql: Sql,
  filter: DeadLetterFilter,
  systemCurrency: string,
): Promise<Consequences> {
  const { text, values } = conditionOf(filter);
  const read = unprepared(
    'dead-letters.consequences',
    `with chosen as materialized (
      select d.scustomer as customer, coalesce(d.currency, $${values.length + 1}::char(3)) as currency, d.verified,
        case when d.verified and d.status <> 'resolved' then d.cost end as cost, d.first_dead_at, ${rowMark} as mark
      from dead_letters d where ${text}),
    part as materialized (
      select customer, currency, count(*) as count, sum(cost) as cost from chosen group by 1, 2),
    ranked as materialized (
      select p.*, c.name, row_number() over (order by p.count desc, p.customer, p.currency) as place
      from part p left join customers c on c.id = p.customer),
    money as (select currency, sum(cost) as cost from part group by 1)
    select count(*)::int as count, count(*) filter (where not verified)::int as unverified,
      (select coalesce(jsonb_agg(jsonb_build_object('currency', currency, 'cost', trim_scale(cost)::text)
        order by currency) filter (where cost <> 0), '[]') from money) as at_stake,
      (select coalesce(jsonb_agg(jsonb_build_object('customer', customer, 'name', name, 'currency', currency,
        'count', count, 'cost', trim_scale(coalesce(cost, 0))::text) order by place), '[]')
        from ranked where place <= ${CUSTOMERS_SHOWN}) as by_customer,
      (select jsonb_build_object('customers', count(distinct customer), 'count', sum(count))
        from ranked where place > ${CUSTOMERS_SHOWN} having count(*) > 0) as others,
      min(first_dead_at) as oldest, ${fingerprintOf} as fingerprint
    from chosen`,
  );
  const [row] = await sql<Consequences>(read, [...values, systemCurrency]);
  if (row === undefined) throw new Error('an aggregate without a row');
  return row;
}
