import type { DeadReason } from '../../domain/outcome.ts';
import { type Sql, unprepared } from '../sql.ts';
import { answerKey, conditionOf, type DeadLetterFilter } from './filter.ts';
import type { Money } from './list.ts';

/** Dead letters of one reason and one parameter that the reply names first: mostly one fault, mended in one place. */
export interface Problem {
  reason: DeadReason;
  /** `DeadLetterFilter.answerKey`; '' if the reply names no parameter. */
  key: string;
  count: number;
  /** Those of senders who are not verified; their costs are no money at stake. */
  unverified: number;
  /** Costs of the open ones, where they can be read and their sender is verified. */
  at_stake: Money[];
  /** First death of the oldest, last death of the latest. */
  oldest: Date;
  latest: Date;
  /** How many died last within the last hour and the last day. */
  last_hour: number;
  last_day: number;
}

/** The problems among the selected dead letters, the largest first. Throws what the database throws. */
export async function readProblems(
  sql: Sql,
  filter: DeadLetterFilter,
  systemCurrency: string,
): Promise<Problem[]> {
  const { text, values } = conditionOf(filter);
  const currency = `$${values.length + 1}::char(3)`;
  const part = (key: string, isOld: boolean) => `
      select d.reason, ${key} as key, coalesce(d.currency, ${currency}) as currency,
        count(*) as count, count(*) filter (where not d.verified) as unverified,
        sum(d.cost) filter (where d.is_open and d.verified) as cost,
        min(d.first_dead_at) as oldest, max(d.last_dead_at) as latest,
        count(*) filter (where d.last_dead_at >= now() - interval '1 hour') as last_hour,
        count(*) filter (where d.last_dead_at >= now() - interval '1 day') as last_day
      from dead_letters d where ${text} and d.search_keys is ${isOld ? '' : 'not '}null group by 1, 2, 3`;
  // Rows of versions before apart, by their own index: PostgreSQL would expect as many keys as there are replies, and sort.
  const problems = unprepared(
    'dead-letters.problems',
    `with part as (${part('d.answer_key', false)} union all ${part(answerKey, true)})
    select reason, key, sum(count)::int as count, sum(unverified)::int as unverified,
      coalesce((select jsonb_agg(jsonb_build_object('currency', m.currency, 'cost', trim_scale(m.cost)::text) order by m.currency)
        from (select currency, sum(cost) as cost from part o where o.reason = part.reason and o.key = part.key group by 1) m
        where m.cost <> 0), '[]') as at_stake,
      min(oldest) as oldest, max(latest) as latest, sum(last_hour)::int as last_hour, sum(last_day)::int as last_day
    from part group by reason, key order by count desc, reason, key`,
  );
  return await sql<Problem>(problems, [...values, systemCurrency]);
}
