import { afterAll, beforeAll, expect, it } from 'vitest';
import { readOpenAmounts, readOpenDeadLetters } from '../../src/store/dead-letters/open.ts';
import { until } from '../support/broker.ts';
import { metric } from '../support/faults.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

let db: BillingDatabase;
let worker: WorkerProcess | undefined;
beforeAll(async () => {
  db = await billingDatabase('open_dead_letters');
});
afterAll(async () => {
  await worker?.stop();
  await db?.drop();
});

/** So many dead letters of one reason and status, the first of which died so many days ago. */
async function deadLetters(reason: string, status: string, count: number, days: number): Promise<void> {
  await db.rows(`insert into dead_letters (reason, status, body, digest, first_dead_at)
    select '${reason}', '${status}', '', sha256(('${reason} ${status} ' || n)::bytea), now() - interval '${days} days'
    from generate_series(1, ${count}) n returning id::text`);
}

const read = () => readOpenDeadLetters(db.sql);

it('counts what is neither resolved nor discarded, and tells the age of the oldest', async () => {
  expect((await read()).every(({ count, oldestSeconds }) => count === 0 && oldestSeconds === 0)).toBe(true);
  await deadLetters('rejected', 'dead', 30, 1);
  await deadLetters('rejected', 'replaying', 3, 2);
  await deadLetters('rejected', 'resolved', 500, 90);
  await deadLetters('failed', 'discarded', 5, 90);
  await deadLetters('poison', 'dead', 1, 3);
  const found = new Map((await read()).map((row) => [row.reason, row]));
  expect(found.get('rejected')?.count).toBe(33);
  expect(found.get('failed')).toMatchObject({ count: 0, oldestSeconds: 0 });
  expect(found.get('poison')?.count).toBe(1);
  expect(Math.round((found.get('rejected')?.oldestSeconds ?? 0) / 86_400)).toBe(2);
});

it('adds up what known calls among them cost, and no claim of somebody unknown', async () => {
  const rows = [
    ['dead', true, '5', "'EUR'"],
    ['replaying', true, '2.5', "'EUR'"],
    // Without a currency it is the system's.
    ['dead', true, '1.25', 'null'],
    ['dead', true, 'null', 'null'],
    ['dead', false, '900', "'EUR'"],
    ['discarded', true, '900', "'EUR'"],
    // A currency that nobody has loaded: a sender could name thousands.
    ['dead', true, '900', "'XYZ'"],
  ] as const;
  for (const [index, [status, verified, cost, currency]] of rows.entries())
    await db.execute(`insert into dead_letters (reason, status, body, digest, verified, cost, currency)
      values ('unroutable', '${status}', '', '\\x0${index}', ${verified}, ${cost}, ${currency})`);
  const found = await readOpenAmounts(db.sql, 'USD');
  expect(found).toHaveLength(2);
  expect(found).toEqual(
    expect.arrayContaining([
      { reason: 'unroutable', currency: 'EUR', amount: 7.5 },
      { reason: 'unroutable', currency: 'USD', amount: 1.25 },
    ]),
  );
});

it('shows them at /metrics of a worker, and what no invoice took', async () => {
  await db.persist([{ uniqueid: 'late', cost: '2.5', start: 1, end: 1 }]);
  worker = await startProcess(['worker'], {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    HTTP_PORT: '0',
  });
  const running = worker;
  await running.logged('"state":"consuming"');
  await until(async () => (await metric(running, 'cdr_ingest_open_dead_letters{reason="rejected"}')) === 33);
  expect(await metric(running, 'cdr_ingest_uninvoiced_calls{currency="USD"}')).toBe(1);
  expect(await metric(running, 'cdr_ingest_uninvoiced_amount{currency="USD"}')).toBe(2.5);
  expect(await metric(running, 'cdr_ingest_oldest_uninvoiced_seconds')).toBeGreaterThan(0);
  const days = async (reason: string) =>
    Math.round(
      (await metric(running, `cdr_ingest_oldest_open_dead_letter_seconds{reason="${reason}"}`)) / 86_400,
    );
  expect([await days('rejected'), await days('poison'), await days('failed')]).toEqual([2, 3, 0]);
  const amount = 'cdr_ingest_open_dead_letters_amount{reason="unroutable",currency="EUR"}';
  expect(await metric(running, amount)).toBe(7.5);
  // Every 15 s, so that what comes is seen without anybody's asking.
  await deadLetters('conflict', 'dead', 7, 1);
  await until(async () => (await metric(running, 'cdr_ingest_open_dead_letters{reason="conflict"}')) === 7);
});

it('costs a look into an index, however many are closed', async () => {
  await deadLetters('unroutable', 'resolved', 50_000, 1);
  await db.prisma.$executeRawUnsafe('vacuum analyze dead_letters');
  const plan = await db.rows(`explain select count(*) from (select 1 from dead_letters d
    where d.is_open and d.reason = 'unroutable' limit 100000) counted`);
  expect(JSON.stringify(plan)).toContain('dead_letters_open_reason_first_dead_at_idx');
});
