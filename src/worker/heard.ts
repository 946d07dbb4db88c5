import type { Novelty } from '../domain/sequence.ts';
import type { Logger } from '../ops/logger.ts';
import { within } from '../retry.ts';
import type { Feed } from '../sources/feed.ts';
import { type Database, describeFailure } from '../store/database.ts';
import { type NamedFeed, nameFeeds } from '../store/heard/name.ts';
import { type HeardKind, type HeardSome, recordHeard } from '../store/heard/record.ts';
import { PendingNumbers } from './pending-numbers.ts';

/** Who is heard of by a record: the feed that it came by, or the verified user who sent it. */
export interface HeardRecord {
  kind: HeardKind;
  name: string;
  /** Of a feed: its number, null where there is none or it cannot be read. */
  sequence: bigint | null;
  novelty: Novelty;
  /** False for what is no record of its own: one that was stored before, or a question. */
  isCounted: boolean;
}

export interface HeardOptions {
  database: Pick<Database, 'sql' | 'transaction'>;
  everyMs: number;
  /** Called for each record of a feed with a counter whose number cannot be read. */
  onUnreadable: (source: string) => void;
  log: Pick<Logger, 'warn'>;
  /** Monotonic milliseconds. */
  now?: () => number;
}

/** Remembers who was heard of, and records it in the database now and then. */
export interface Heard {
  record: (record: HeardRecord) => void;
  /** Sets which feeds are to be heard of. */
  expect: (feeds: readonly Feed[]) => void;
  /** Records what is left; one try. Never rejects. */
  stop: () => Promise<void>;
}

/** What was heard of one feed or user and is not recorded yet. */
interface Pending {
  kind: HeardKind;
  name: string;
  /** When it was heard of last: monotonic milliseconds. */
  at: number;
  records: number;
  numbers: PendingNumbers | null;
}

/** How often the database is told that the feeds are still in the file: far more often than NAMED_FOR. */
const NAME_EVERY_MS = 600_000;
const TIMEOUT_MS = 5000;

/** By name. */
function noneYet(): Record<HeardKind, Map<string, Pending>> {
  return { feed: new Map(), user: new Map() };
}

/**
 * Nothing on the way of a message waits for this. What cannot be recorded is kept for the next time: an entry for each
 * feed of the file and each user whose password was right, and a bounded number of numbers. A flush of which the database
 * has sent no answer is repeated, so that records may be counted twice then, never lost; numbers are recorded once in
 * any case.
 */
export function collectHeard(options: HeardOptions): Heard {
  const { database, log, now = () => performance.now() } = options;
  let pending = noneYet();
  let fields: ReadonlyMap<string, string> = new Map();
  let feeds: readonly NamedFeed[] = [];
  let namedAt = Number.NEGATIVE_INFINITY;
  let isFailing = false;
  let flushing: Promise<void> | undefined;

  function entryOf(kind: HeardKind, name: string): Pending {
    let entry = pending[kind].get(name);
    if (entry === undefined) {
      entry = { kind, name, at: Number.NEGATIVE_INFINITY, records: 0, numbers: null };
      pending[kind].set(name, entry);
    }
    return entry;
  }

  function record({ kind, name, sequence, novelty, isCounted }: HeardRecord): void {
    const entry = entryOf(kind, name);
    entry.at = now();
    if (isCounted) entry.records += 1;
    const field = kind === 'feed' ? fields.get(name) : undefined;
    if (field === undefined) return;
    if (sequence === null) options.onUnreadable(name);
    // With another sources file another field counts.
    else if (entry.numbers?.field === field) entry.numbers.add(sequence, novelty);
    else entry.numbers = new PendingNumbers(field, sequence, novelty);
  }

  /** Puts back what could not be recorded, if that is known. */
  function putBack(taken: Iterable<Pending>): void {
    for (const { kind, name, at, records, numbers } of taken) {
      const entry = entryOf(kind, name);
      entry.at = Math.max(entry.at, at);
      entry.records += records;
      numbers?.doubt();
      if (entry.numbers === null) entry.numbers = numbers;
      else if (numbers?.field === entry.numbers.field) entry.numbers.addAll(numbers);
    }
  }

  async function flush(): Promise<void> {
    const taken = [...pending.feed.values(), ...pending.user.values()];
    pending = noneYet();
    try {
      await nameSometimes();
      const stopped = await recordHeard(database, taken.map(asSome), TIMEOUT_MS);
      isFailing = false;
      for (const source of stopped)
        log.warn(
          { source, sequence: fields.get(source) },
          'the numbers in this field do not count the records of the feed; its gaps are no longer looked for',
        );
    } catch (error) {
      putBack(taken);
      if (!isFailing) log.warn({ description: describeFailure(error) }, 'cannot record who was heard of');
      isFailing = true;
    }
  }

  async function nameSometimes(): Promise<void> {
    if (now() - namedAt < NAME_EVERY_MS) return;
    const named = feeds;
    await nameFeeds(database.sql, named);
    if (named === feeds) namedAt = now();
  }

  function asSome({ kind, name, at, records, numbers }: Pending): HeardSome {
    const some = { kind, name, records, agoMs: now() - at };
    return numbers === null ? some : { ...some, counted: numbers.counted() };
  }

  const flushOnce = () => {
    flushing ??= flush().finally(() => {
      flushing = undefined;
    });
    return flushing;
  };
  const timer = setInterval(flushOnce, options.everyMs);
  timer.unref();
  return {
    record,
    expect: (expected) => {
      feeds = expected.map(({ name, everySeconds, sequence }) => ({
        name,
        everySeconds,
        sequence: sequence?.field ?? null,
      }));
      fields = new Map(expected.flatMap(({ name, sequence }) => (sequence ? [[name, sequence.field]] : [])));
      namedAt = Number.NEGATIVE_INFINITY;
      flushOnce();
    },
    stop: async () => {
      clearInterval(timer);
      const last = Promise.resolve(flushing).then(flush);
      // A database that does not answer is not waited for: the end of the worker matters more than its last seconds.
      await within(last, TIMEOUT_MS, 'the record of who was heard of').catch((error: unknown) =>
        log.warn({ description: describeFailure(error) }, 'ended without recording who was heard of last'),
      );
    },
  };
}
