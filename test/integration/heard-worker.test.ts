import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSwitchClient, type SwitchClient } from '../../src/broker/switch-client.ts';
import { upsertUser } from '../../src/store/users.ts';
import { type Outsider, outsider, until } from '../support/broker.ts';
import { runInProcess } from '../support/in-process.ts';
import { cheapHash } from '../support/password.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

const PASSWORD = 'right-one';
const EXCHANGE = 'cdrs.from.fs';
const FILE = `fs:
  exchange: ${EXCHANGE}
  as: switch-fs
  machines: [m-1]
  format: json
  every: 15m
  sequence: n
  skip: { leg: [b] }
  call:
    uniqueid: id
    machine: host
    start: { from: begin, time: s }
    scustomer: account
`;

let db: BillingDatabase;
let worker: WorkerProcess;
let client: SwitchClient;
let switches: Outsider;
let directory: string;

const environment = () => ({
  DATABASE_URL: db.databaseUrl,
  AMQP_URL: db.amqpUrl,
  HTTP_PORT: '0',
  SOURCES_FILE: join(directory, 'sources.yaml'),
});

beforeAll(async () => {
  db = await billingDatabase('heard_worker');
  directory = mkdtempSync(join(tmpdir(), 'heard-'));
  writeFileSync(join(directory, 'sources.yaml'), FILE);
  const passwordHash = await cheapHash(PASSWORD);
  await upsertUser(db.sql, { username: 'switch-fs', role: 'system', passwordHash });
  await upsertUser(db.sql, { username: 'switch-1', role: 'system', passwordHash, everySeconds: 900 });
  await upsertUser(db.sql, { username: 'alice', role: 'operator', passwordHash });
  worker = await startWorker();
  client = await openSwitchClient([db.amqpUrl], 'cdrs', 30_000);
  switches = await outsider(db.amqpUrl);
  await switches.channel.assertExchange(EXCHANGE, 'topic', { durable: true });
  await switches.channel.bindQueue('cdrs.create', EXCHANGE, '#');
});

afterAll(async () => {
  await switches?.close();
  await client?.close();
  await worker?.stop();
  await db?.drop();
  rmSync(directory, { recursive: true, force: true });
});

async function startWorker(): Promise<WorkerProcess> {
  const started = await startProcess(['worker'], environment());
  await started.logged('"queue":"cdrs.create","state":"consuming"');
  return started;
}

async function submit(parameters: Record<string, unknown>): Promise<string | undefined> {
  const call = { auth_username: 'switch-1', auth_password: PASSWORD, machine: 'm', start: 1, scustomer: 1 };
  const { responses } = await client.submit({ body: JSON.stringify({ ...call, ...parameters }) });
  return responses[0]?.code;
}

/** A record of the feed, with the number `n`. */
function publish(n: unknown, record: object = {}): void {
  const body = { id: `fs-${n}`, host: 'm-1', begin: '1790000000', account: '1', leg: 'a', n, ...record };
  switches.channel.publish(EXCHANGE, 'any.key', Buffer.from(JSON.stringify(body)));
}

/** What is recorded, once the worker has recorded so many records of this name. */
async function recorded(name: string, count: number) {
  const read = () => db.rows(`select kind, records::text from heard where name = '${name}'`);
  await until(async () => Number((await read())[0]?.records) >= count);
  return await read();
}

const runs = () =>
  db.rows(`select epoch::text, first::text, last::text from sequence_runs where source = 'fs' order by 1, 2`);

async function series(start: string): Promise<string[]> {
  const text = await (await fetch(`http://127.0.0.1:${await worker.port()}/metrics`)).text();
  return text.split('\n').filter((line) => line.startsWith(start));
}

describe('a worker', () => {
  it('hears of a switch by every record of its own, stored or refused, and counts each once', async () => {
    expect(await submit({ uniqueid: 'u-1' })).toBe('204');
    expect(await submit({ uniqueid: 'u-1' })).toBe('204');
    expect(await submit({ uniqueid: 'u-2', scustomer: 999 })).toBe('400');
    expect(await submit({ uniqueid: 'u-3', start: 'x' })).toBe('400');
    expect(await submit({ uniqueid: 'u-4', validation: 1 })).toBe('201');
    expect(await submit({ uniqueid: 'u-5' })).toBe('204');
    expect(await recorded('switch-1', 4)).toEqual([{ kind: 'user', records: '4' }]);
  });

  it('hears of nobody by a wrong password, an unknown name, or a user who may not submit calls', async () => {
    expect(await submit({ uniqueid: 'u-6', auth_password: 'wrong-one' })).toBe('401');
    expect(await submit({ uniqueid: 'u-6', auth_username: 'stranger' })).toBe('401');
    expect(await submit({ uniqueid: 'u-6', auth_username: 'alice' })).toBe('402');
    await submit({ uniqueid: 'u-7' });
    await recorded('switch-1', 5);
    expect(await db.rows(`select name from heard where kind = 'user'`)).toEqual([{ name: 'switch-1' }]);
  });

  it('hears of a feed by calls, skipped records and refused ones, and counts their numbers', async () => {
    for (const n of [1, 2, 4]) publish(n);
    publish(3, { leg: 'b' });
    publish(5, { host: 'm-2' });
    publish(6, { account: undefined });
    publish('x', { id: 'fs-unreadable' });
    publish(2);
    expect(await recorded('fs', 7)).toEqual([{ kind: 'feed', records: '7' }]);
    expect(await runs()).toEqual([{ epoch: '1', first: '1', last: '6' }]);
    // Its own switch is heard of, not the user in whose name its calls are stored.
    expect(await db.rows(`select kind from heard where name = 'switch-fs'`)).toEqual([]);
    expect(await series('cdr_ingest_unreadable_sequences_total')).toEqual([
      'cdr_ingest_unreadable_sequences_total{source="fs"} 1',
    ]);
  });

  it('shows all of that at /metrics, with how often each is expected', async () => {
    const labels = ['{kind="feed",name="fs"}', '{kind="user",name="switch-1"}'];
    const values = async (name: string) =>
      Object.fromEntries((await series(name)).map((line) => line.split(' ')));
    await until(async () => Object.values(await values('cdr_ingest_heard_records')).join() === '7,5');
    const heard = await values('cdr_ingest_heard_timestamp_seconds');
    for (const label of labels) {
      const ago = Date.now() / 1000 - Number(heard[`cdr_ingest_heard_timestamp_seconds${label}`]);
      expect(ago).toBeGreaterThan(-5);
      expect(ago).toBeLessThan(120);
    }
    expect(await series('cdr_ingest_heard_expected')).toEqual(
      labels.map((label) => `cdr_ingest_heard_expected_seconds${label} 900`),
    );
    expect(await series('cdr_ingest_sequence_')).toEqual([
      'cdr_ingest_sequence_gaps{source="fs"} 0',
      'cdr_ingest_sequence_missing{source="fs"} 0',
      'cdr_ingest_sequence_stopped{source="fs"} 0',
    ]);
    publish(9);
    await recorded('fs', 8);
    await db.execute(`update sequence_runs set since = now() - interval '2 minutes'`);
    await until(async () => Object.values(await values('cdr_ingest_sequence_missing')).join() === '2');
    expect(await series('cdr_ingest_sequence_gaps')).toEqual(['cdr_ingest_sequence_gaps{source="fs"} 1']);
  });

  it('does not hear of a switch by what an operator replays', async () => {
    const before = await db.rows(`select records::text, last_at::text from heard where name = 'switch-1'`);
    await db.execute(`insert into customers (id, name, currency) values (999, 'late', 'USD')`);
    const operator = { ...environment(), CDR_USERNAME: 'alice', CDR_PASSWORD: PASSWORD };
    expect(await runInProcess(['dead', 'replay', '--uniqueid', 'u-2'], operator)).toMatchObject({ code: 0 });
    publish(10);
    await recorded('fs', 9);
    expect(await db.rows(`select records::text, last_at::text from heard where name = 'switch-1'`)).toEqual(
      before,
    );
  });

  it('records at its end what is left, and what a locked table kept it from recording, once', async () => {
    const before = Number(
      (await db.rows(`select records::text from heard where name = 'switch-1'`))[0]?.records,
    );
    await db.transaction(
      async (sql) => {
        await sql({ name: 'test.lock', text: 'lock table heard in exclusive mode' }, []);
        for (const uniqueid of ['e-1', 'e-2', 'e-3']) expect(await submit({ uniqueid })).toBe('204');
        await worker.logged('cannot record who was heard of');
        expect(await submit({ uniqueid: 'e-4' })).toBe('204');
      },
      { timeoutMs: 60_000 },
    );
    await submit({ uniqueid: 'e-5' });
    expect(await worker.stop()).toBe(0);
    expect(await recorded('switch-1', before + 5)).toEqual([{ kind: 'user', records: `${before + 5}` }]);
    worker = await startWorker();
  });
});
