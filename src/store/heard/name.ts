import { type Sql, statement } from '../sql.ts';

/** A feed as a sources file has it. */
export interface NamedFeed {
  name: string;
  everySeconds: number | null;
  /** The field of its counter. */
  sequence: string | null;
}

/** A feed that no worker has named for so long is in no sources file any more. */
export const NAMED_FOR = '1 hour';

/** With another field, counting begins anew. */
const NAME = statement(
  'heard.name',
  `with feeds as (
     select name, every, sequence from unnest($1::text[], $2::int[], $3::text[]) as feeds (name, every, sequence)
   ), changed as (
     delete from sequence_runs using feeds join heard on heard.kind = 'feed' and heard.name = feeds.name
     where source = feeds.name and heard.sequence is distinct from feeds.sequence
   )
   insert into heard as h (kind, name, named_at, every_seconds, sequence)
   select 'feed', name, now(), every, sequence from feeds order by name
   on conflict (kind, name) do update set named_at = now(), every_seconds = excluded.every_seconds,
     since = case when h.named_at > now() - interval '${NAMED_FOR}' then h.since else now() end,
     sequence = excluded.sequence,
     sequence_stopped_at = case when h.sequence = excluded.sequence then h.sequence_stopped_at end`,
);

/** Records which feeds are to be heard of, so that those are known that never were. Throws what the database throws. */
export async function nameFeeds(sql: Sql, feeds: readonly NamedFeed[]): Promise<void> {
  if (feeds.length === 0) return;
  await sql(NAME, [
    feeds.map(({ name }) => name),
    feeds.map(({ everySeconds }) => everySeconds),
    feeds.map(({ sequence }) => sequence),
  ]);
}
