import { billedMessagesOf } from '../../src/domain/billed-message.ts';
import type { Submission } from '../../src/domain/submission.ts';
import { classifyFailure } from '../../src/store/failures.ts';
import type { Statement } from '../../src/store/sql.ts';
import { createReply } from '../../src/worker/reply.ts';
import { ACCEPTED } from '../support/outcomes.ts';
import { entriesIn, FakeCorrections, type StoredEntry } from './fake-corrections.ts';
import { databaseError, FakeDatabase, written } from './fake-database.ts';
import { REPLY_RULES } from './lane.ts';
import type { StoredCall } from './lines.ts';
import type { SimDelivery, SimPorts, SimProcess } from './surroundings.ts';
import type { Mutant } from './world.ts';

/** Finds the delivery of a submission, for the orders that need it where the real one does not. */
function traced(ports: SimPorts): { ports: SimPorts; deliveryOf: (entry: Submission) => SimDelivery[] } {
  const deliveries = new WeakMap<object, SimDelivery>();
  const admit: SimPorts['admit'] = (delivery) => {
    const remember = <Entry extends object>(entry: Entry) => {
      deliveries.set(entry, delivery);
      return entry;
    };
    const admitted = ports.admit(delivery);
    return admitted instanceof Promise ? admitted.then(remember) : remember(admitted);
  };
  return { ports: { ...ports, admit }, deliveryOf: (entry) => [deliveries.get(entry) ?? []].flat() };
}

class WithoutUniqueness extends FakeDatabase {
  protected override admits(): boolean {
    return true;
  }
}

class WithoutTerms extends FakeDatabase {
  protected override problemOf(): null {
    return null;
  }
}

/** Does not see that a trigger has kept a row from moving. */
class WithoutMoves extends FakeDatabase {
  #vetoed: StoredCall[] = [];

  protected override checkObstacles(calls: readonly StoredCall[]): void {
    this.#vetoed = calls.filter((call) =>
      this.rowsOf(call).some((row) => this.obstacles.get(row) === 'vetoed'),
    );
    super.checkObstacles(calls.filter((call) => !this.#vetoed.includes(call)));
  }

  override move(calls: readonly StoredCall[]): void {
    super.move(calls.filter((call) => !this.#vetoed.includes(call)));
  }
}

class WithoutMovingEntries extends FakeDatabase {
  override moveEntries(): void {
    // Only the entries are written.
  }
}

/** Does not tell a correction that comes again by its id. */
class WithoutIds extends FakeDatabase {
  override readonly corrections = new (class extends FakeCorrections {
    override found(uniqueid: string, id: string) {
      return { ...super.found(uniqueid, id), own: null };
    }
    override find(): undefined {
      return undefined;
    }
  })();
}

/** Two may follow one entry. */
class WithoutLines extends FakeDatabase {
  override readonly corrections = new (class extends FakeCorrections {
    protected override admits({ id }: StoredEntry): boolean {
      return this.find(id) === undefined;
    }
  })();
}

/** Does not see that something late has been taken. */
class WithoutTaking extends FakeDatabase {
  override readonly corrections = new (class extends FakeCorrections {
    override hasTaken(): boolean {
      return false;
    }
  })();
}

class WithoutMarks extends FakeDatabase {
  override execute(statement: Statement, values: readonly unknown[]): unknown[] {
    return statement.name === 'dead-letters.mark-tried' ? [{ id: '' }] : super.execute(statement, values);
  }
}

class WithoutPoison extends FakeDatabase {
  override insert(...[calls, terms, deadLetters]: Parameters<FakeDatabase['insert']>) {
    return super.insert(
      calls,
      terms,
      deadLetters.filter(({ reason }) => reason !== 'poison'),
    );
  }
}

async function bookInTwoSteps(
  process: SimProcess,
  database: FakeDatabase,
  values: readonly unknown[],
): Promise<unknown[]> {
  const entries = database.corrections.admitted(entriesIn(values[0]));
  await process.request('insert', () => database.corrections.entries.push(...entries));
  await process.request('move', () => database.moveEntries(entries));
  return [{ booked: entries.length > 0 }];
}

/** Wrong ways of doing the same work, by what is wrong about them. */
export const mutants: Readonly<Record<string, Mutant>> = {
  'acknowledges before the commit': {
    mutate: (original) => {
      const { ports, deliveryOf } = traced(original);
      return {
        ...ports,
        prepare: (entries) => {
          const persist = ports.prepare(entries);
          return () => {
            ports.acknowledge(entries.flatMap(deliveryOf));
            return persist();
          };
        },
      };
    },
  },
  'tells what calls were charged before the commit': {
    mutate: (ports) => ({
      ...ports,
      prepare: (entries) => async () => {
        const told = entries.flatMap((entry) =>
          entry.kind === 'call'
            ? billedMessagesOf({ ...ACCEPTED, stored: { ...ACCEPTED.stored, call: entry.call } })
            : [],
        );
        if (told.length > 0) await ports.publishBilled?.(told);
        return await ports.prepare(entries)();
      },
    }),
  },
  'acknowledges before others are told what calls were charged': {
    mutate: (ports) => ({
      ...ports,
      publishBilled: async (messages) => {
        void ports.publishBilled?.(messages);
        return messages.map(() => 'confirmed');
      },
    }),
  },
  'replies before the commit': {
    mutate: (original) => {
      const { ports, deliveryOf } = traced(original);
      return {
        ...ports,
        prepare: (entries) => async () => {
          const calls = entries.filter(({ kind }) => kind === 'call').flatMap(deliveryOf);
          await ports.publish(
            calls.map(({ properties }) => createReply(properties, null, ACCEPTED, REPLY_RULES)),
          );
          return ports.prepare(entries)();
        },
      };
    },
  },
  'acknowledges before the reply is confirmed': {
    mutate: (ports) => ({
      ...ports,
      publish: async (replies) => {
        void ports.publish(replies);
        return replies.map(() => 'confirmed' as const);
      },
    }),
  },
  'inserts without looking for the uniqueid': { database: (watcher) => new WithoutUniqueness(watcher) },
  'charges on terms that no longer hold': { database: (watcher) => new WithoutTerms(watcher) },
  'books corrections without moving balances and invoices': {
    database: (watcher) => new WithoutMovingEntries(watcher),
  },
  'books a correction twice that comes again': { database: (watcher) => new WithoutIds(watcher) },
  'books the second of two corrections at once as well': { database: (watcher) => new WithoutLines(watcher) },
  'puts on an invoice what is on one': { database: (watcher) => new WithoutTaking(watcher) },
  'moves the money of a correction outside of its transaction': {
    execute: (process, database, statement, values) =>
      statement.name === 'persist.book-correction'
        ? bookInTwoSteps(process, database, values)
        : process.request('statement', () => database.execute(statement, values)),
  },
  'tries again and again what kills it': { database: (watcher) => new WithoutMarks(watcher) },
  'does not keep what the broker dead-lettered': { database: (watcher) => new WithoutPoison(watcher) },
  'counts a row as moved that a trigger kept where it was': {
    database: (watcher) => new WithoutMoves(watcher),
  },
  'takes an outage for the fault of a message': {
    mutate: (ports) => ({
      ...ports,
      prepare: (entries, manner) => {
        const persist = ports.prepare(entries, manner);
        return () =>
          persist().catch((error: unknown) => {
            throw classifyFailure(error) === 'outage' ? new Error('the fault of a message') : error;
          });
      },
    }),
  },
  'takes for the fault of a message what only waits for a row': {
    mutate: (ports) => ({
      ...ports,
      rows: {
        isHeld: (row) => ports.rows.isHeld(row),
        isRefused: (row) => ports.rows.isRefused(row),
        refuse: (row) => ({ kind: 'held', cause: 'message', row, why: 'nobody' }),
        free: (row) => ports.rows.free(row),
      },
      prepare: (entries, manner) => async () =>
        (await ports.prepare(entries, manner)()).map((persisted) =>
          persisted.kind === 'held' ? { kind: 'failed', reason: 'failed', error: persisted.why } : persisted,
        ),
    }),
  },
  'keeps nothing smaller where a dead letter is refused': {
    mutate: (ports) => ({
      ...ports,
      prepare: (entries, manner) => {
        const isMinimal = entries.some(
          ({ kind, deadLetter }) => kind === 'decided' && deadLetter()?.body.includes(' bytes, as hex: '),
        );
        if (isMinimal) return () => Promise.reject(databaseError('22021', 'refused'));
        return ports.prepare(entries, manner);
      },
    }),
  },
  'charges outside of the transaction': {
    execute: async (process, database, statement, values) => {
      if (!statement.name.startsWith('persist.write')) {
        return process.request('statement', () => database.execute(statement, values));
      }
      const [calls, terms, deadLetters] = written(values);
      const stored = await process.request('insert', () => database.insert(calls, terms, deadLetters));
      await process.request('charge', () => database.move(stored));
      return [{ lost: database.lostOf(calls, stored) }];
    },
  },
};
