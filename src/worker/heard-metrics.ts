import type { Registry } from 'prom-client';
import { countOf } from '../domain/sequence.ts';
import type { HeardState } from '../store/heard/read.ts';
import { metricsIn } from './registry.ts';

/** What `/metrics` shows of feeds and switches: read from the database, so that every worker shows the same. */
export function createHeardMetrics(registry: Registry) {
  const { counter, gauge } = metricsIn(registry);
  const heard = gauge(
    'cdr_ingest_heard_timestamp_seconds',
    'When the last record of a feed or user was heard; where none was since it is expected, since when it is.',
    ['kind', 'name'],
  );
  const expected = gauge(
    'cdr_ingest_heard_expected_seconds',
    'How often a feed or user is heard of at least (`every`).',
    ['kind', 'name'],
  );
  const records = gauge(
    'cdr_ingest_heard_records',
    'Records heard of a feed or user so far, by all workers.',
    ['kind', 'name'],
  );
  const gaps = gauge(
    'cdr_ingest_sequence_gaps',
    'Gaps in the numbers of a feed, open for a minute or more.',
    ['source'],
  );
  const missing = gauge('cdr_ingest_sequence_missing', 'Numbers in these gaps.', ['source']);
  const stopped = gauge(
    'cdr_ingest_sequence_stopped',
    '1 where the numbers of a feed turned out not to count its records.',
    ['source'],
  );
  const unreadable = counter(
    'cdr_ingest_unreadable_sequences_total',
    'Records of a feed whose number could not be read.',
    ['source'],
  );
  return {
    unreadable: (source: string) => unreadable.inc({ source }),
    /**
     * @param states of everything in the database
     * @param feeds those of this worker's file: others are told of by the workers that have them
     */
    set(states: readonly HeardState[], feeds: ReadonlySet<string>): void {
      for (const each of [heard, expected, records, gaps, missing, stopped]) each.reset();
      const now = Date.now() / 1000;
      for (const state of states) {
        const { kind, name, silentSeconds, everySeconds } = state;
        if (kind === 'feed' && !feeds.has(name)) continue;
        heard.set({ kind, name }, now - silentSeconds);
        records.set({ kind, name }, state.records);
        if (everySeconds !== null) expected.set({ kind, name }, everySeconds);
        if (kind === 'user' || state.sequence === null) continue;
        gaps.set({ source: name }, state.gaps.length);
        missing.set({ source: name }, Number(countOf(state.gaps)));
        stopped.set({ source: name }, state.isStopped ? 1 : 0);
      }
    },
  };
}
