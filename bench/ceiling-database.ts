import { persist } from '../src/store/persist/persist.ts';
import { BILLING } from '../test/support/billing.ts';
import { admitted } from './admitted.ts';
import { openBenchDatabase } from './bed.ts';
import { workload } from './workload.ts';

/**
 * The program of the part `database`: the rows and the statements of the worker, in full batches one after the other,
 * without a broker. The messages are read and checked beforehand.
 */
const BATCH = 500;
const [count, seed] = process.argv.slice(2).map(Number);
const submissions = workload(count ?? 0, seed ?? 0).messages.map(({ body }) => admitted(body));
const database = openBenchDatabase(process.env.DATABASE_URL ?? '');
const { sql } = database;
for (let done = 0; done < submissions.length; ) {
  const batch = submissions.slice(done, done + BATCH);
  await persist(sql, batch, BILLING);
  done += batch.length;
  process.send?.({ done });
}
await database.close(10_000);
process.disconnect?.();
