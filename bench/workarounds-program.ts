import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { persist } from '../src/store/persist/persist.ts';
import { throughClient } from '../src/store/prisma.ts';
import type { Sql, Statement } from '../src/store/sql.ts';
import { BILLING } from '../test/support/billing.ts';
import { admitted } from './admitted.ts';
import { openBenchDatabase } from './bed.ts';
import { workload } from './workload.ts';

/**
 * A process of its own for one way of using Prisma: sends the statements of some batches again and again. The calls are
 * stored by the first round; the others find them stored, which makes no difference to Prisma.
 */
const [calls = 1, rounds = 1, way = 0] = process.argv.slice(2).map(Number);
const BATCHES = 20;
const WARM_SHARE = 0.2;
const OLD_SPACES = new Set(['old_space', 'large_object_space']);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const database = openBenchDatabase(process.env.DATABASE_URL ?? '');
const batches = await statementsOfBatches();
const run = wayOf(way);

await repeat(Math.ceil(rounds * WARM_SHARE));
process.send?.({ kind: 'warm' });
const cpu = process.cpuUsage();
const started = performance.now();
const promotedBytes = await repeat(rounds);
const milliseconds = performance.now() - started;
const { user, system } = process.cpuUsage(cpu);
process.send?.({
  kind: 'done',
  milliseconds: milliseconds / rounds,
  cpuMilliseconds: (user + system) / 1000 / rounds,
  promotedKib: promotedBytes / 1024 / rounds,
  liveMib: liveBytes() / 1024 / 1024,
});
await database.close(10_000);
process.disconnect?.();

/** What `persist` asks of the database for each batch. */
async function statementsOfBatches(): Promise<{ statement: Statement; values: readonly unknown[] }[][]> {
  const { messages } = workload(calls * BATCHES, 77);
  const noted: { statement: Statement; values: readonly unknown[] }[][] = [];
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const asked: { statement: Statement; values: readonly unknown[] }[] = [];
    const noting: Sql = (statement, values) => {
      asked.push({ statement, values });
      return database.sql(statement, values);
    };
    const bodies = messages.slice(batch * calls, (batch + 1) * calls);
    await persist(
      noting,
      bodies.map(({ body }) => admitted(body)),
      BILLING,
    );
    noted.push(asked);
  }
  return noted;
}

/** 0: as the product does it; 1: statements without names; 2: through Prisma's client; 3: through it, with all left to it. */
function wayOf(number: number): Sql {
  if (number === 1) return withoutNames();
  if (number === 2) return throughClient(database.prisma);
  if (number === 3) return ({ text }, values) => database.prisma.$queryRawUnsafe(text, ...values);
  return database.sql;
}

/** A text with a blank more is none that has a name. */
function withoutNames(): Sql {
  const unnamed = new Map<Statement, Statement>();
  return (statement, values) => {
    const other = unnamed.get(statement) ?? { ...statement, text: `${statement.text} ` };
    unnamed.set(statement, other);
    return database.sql(other, values);
  };
}

/** Returns by how many bytes V8's old generation grew, each time it did. */
async function repeat(times: number): Promise<number> {
  let grown = 0;
  let before = oldBytes();
  for (let round = 0; round < times; round += 1) {
    for (const { statement, values } of batches[round % BATCHES] ?? [])
      await run(statement, values.map(copied));
    const after = oldBytes();
    if (after > before) grown += after - before;
    before = after;
  }
  return grown;
}

/** As each batch has values of its own. */
function copied(value: unknown): unknown {
  if (typeof value === 'string') return Buffer.from(value).toString();
  return Array.isArray(value) ? value.map(copied) : value;
}

/** What outlived the young generation. */
function oldBytes(): number {
  const spaces = getHeapSpaceStatistics().filter(({ space_name }) => OLD_SPACES.has(space_name));
  return spaces.reduce((sum, { space_used_size }) => sum + space_used_size, 0);
}

function liveBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}
