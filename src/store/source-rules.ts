import { type Sql, statement } from './sql.ts';

/** How a feed makes uniqueids. */
export interface SourceRule {
  source: string;
  exchange: string;
  /** JSON that is equal where the same record gets the same uniqueid. */
  uniqueid: Readonly<Record<string, unknown>>;
}

/**
 * A feed is known by its name and by its exchange, so that neither a new name nor another exchange lets another rule pass.
 * `$2` accepts other rules. Ordered, so that two workers that start cannot deadlock.
 */
const RECORD = statement(
  'source-rules.record',
  `
with given as materialized (
  select * from json_to_recordset($1::json) as given(source text, exchange text, uniqueid jsonb)),
different as materialized (
  select distinct given.source from given
  join source_rules r on r.source = given.source or r.exchange = given.exchange
  where r.uniqueid <> given.uniqueid),
locked as materialized (
  select r.source, given.uniqueid from source_rules r
  join given on r.source = given.source or r.exchange = given.exchange
  where $2 and r.uniqueid <> given.uniqueid order by r.source for update of r),
accepted as (
  update source_rules r set uniqueid = locked.uniqueid, recorded_at = now() from locked where r.source = locked.source),
recorded as (
  insert into source_rules (source, exchange, uniqueid)
  select source, exchange, uniqueid from given
  where $2 or not exists (select from different) order by source
  on conflict (source) do update set exchange = excluded.exchange
  where source_rules.exchange <> excluded.exchange and source_rules.uniqueid = excluded.uniqueid)
select source from different where not $2 order by source`,
);

/**
 * Records by which rules the feeds make uniqueids, and returns the feeds whose rule is another one than is on record: if their
 * records were sent again, they would be charged again. Then nothing is recorded, unless other rules are accepted. Throws
 * what the database throws.
 */
export async function recordSourceRules(
  sql: Sql,
  rules: readonly SourceRule[],
  acceptsOthers: boolean,
): Promise<string[]> {
  if (rules.length === 0) return [];
  const rows = await sql<{ source: string }>(RECORD, [JSON.stringify(rules), acceptsOthers]);
  return rows.map(({ source }) => source);
}

const OTHER_RULE = statement(
  'source-rules.other',
  'select source from source_rules where source = $1 and uniqueid <> $2::jsonb',
);

/** Whether another rule for uniqueid is on record of this feed. Throws what the database throws. */
export async function hasOtherRule(sql: Sql, source: string, rule: SourceRule['uniqueid']): Promise<boolean> {
  return (await sql(OTHER_RULE, [source, JSON.stringify(rule)])).length > 0;
}

const READ = statement('source-rules.read', 'select source, exchange from source_rules');

/** The feeds on record. Throws what the database throws. */
export async function readSourceRules(sql: Sql): Promise<Pick<SourceRule, 'source' | 'exchange'>[]> {
  return await sql<Pick<SourceRule, 'source' | 'exchange'>>(READ, []);
}
