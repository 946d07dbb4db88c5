import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConsumeMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upsertUser } from '../../src/store/users.ts';
import { type Outsider, outsider, until } from '../support/broker.ts';
import { runInProcess } from '../support/in-process.ts';
import { runCommand } from '../support/operators.ts';
import { cheapHash } from '../support/password.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

const EXCHANGE = 'cdrs.from.fs';

/** A sources file with one feed, or another one beside it. */
function fileOf({ uniqueid = 'id', more = '' } = {}): string {
  return `fs:
  exchange: ${EXCHANGE}
  as: switch-fs
  machines: [m-1]
  format: json
  skip: { leg: [b] }
  call:
    uniqueid: ${uniqueid}
    machine: host
    start: { from: begin, time: s }
    scustomer: account
    cost: price
${more}`;
}

const OTHER = fileOf().replace('fs:', 'other:').replace(EXCHANGE, 'cdrs.from.other');

let db: BillingDatabase;
let worker: WorkerProcess;
let switches: Outsider;
let directory: string;
const results: { uniqueid: string; code: string }[] = [];

const sourcesFile = () => join(directory, 'sources.yaml');
const environment = () => ({
  DATABASE_URL: db.databaseUrl,
  AMQP_URL: db.amqpUrl,
  HTTP_PORT: '0',
  SOURCES_FILE: sourcesFile(),
});

beforeAll(async () => {
  db = await billingDatabase('feeds');
  directory = mkdtempSync(join(tmpdir(), 'feeds-'));
  writeFileSync(sourcesFile(), fileOf());
  const passwordHash = await cheapHash('nobody-needs-it');
  await upsertUser(db.sql, { username: 'switch-fs', role: 'system', passwordHash });
  await upsertUser(db.sql, { username: 'boss', role: 'operator', passwordHash });
  worker = await startProcess(['worker'], environment());
  await worker.logged('"queue":"cdrs.create","state":"consuming"');
  switches = await outsider(db.amqpUrl);
  await switches.channel.consume('cdrs.results', hear, { noAck: true });
});

afterAll(async () => {
  await switches?.close();
  await worker?.stop();
  await db?.drop();
  rmSync(directory, { recursive: true, force: true });
});

function hear(message: ConsumeMessage | null): void {
  if (message === null) return;
  const { responses } = JSON.parse(message.content.toString()) as { responses: { code: string }[] };
  const uniqueid = String(message.properties.headers?.uniqueid ?? '');
  results.push({ uniqueid, code: responses[0]?.code ?? '' });
}

const RECORD = { host: 'm-1', begin: '1790000000', account: '1', price: '1.250000', leg: 'a' };

/** Publishes as a switch does: no reply_to, no confirm that it waits for. */
function publish(record: object, exchange = EXCHANGE): void {
  const body = Buffer.from(JSON.stringify({ ...RECORD, ...record }));
  switches.channel.publish(exchange, 'any.key', body, { contentType: 'text/json' });
}

async function codesOf(uniqueid: string, count = 1): Promise<string[]> {
  const codes = () => results.filter((one) => one.uniqueid === uniqueid).map(({ code }) => code);
  await until(() => codes().length >= count);
  return codes();
}

const storedCalls = (uniqueid: string) =>
  db.rows(`select source, submitted_by, charged::text from cdrs where uniqueid = '${uniqueid}'`);

describe('a feed', () => {
  it('has its records stored under its name, charged to the digit, once', async () => {
    publish({ id: 'a-1' });
    publish({ id: 'a-1' });
    expect(await codesOf('a-1', 2)).toEqual(['204', '204']);
    expect(await storedCalls('a-1')).toEqual([
      { source: 'fs', submitted_by: 'switch-fs', charged: '1.250000' },
    ]);
  });

  it('has records left out by value: acknowledged, counted, not answered', async () => {
    publish({ id: 'b-1', leg: 'b' });
    publish({ id: 'a-2' });
    await codesOf('a-2');
    expect(await storedCalls('b-1')).toEqual([]);
    expect(results.filter(({ uniqueid }) => uniqueid === 'b-1')).toEqual([]);
    const metrics = await fetch(`http://127.0.0.1:${await worker.port()}/metrics`);
    expect(await metrics.text()).toContain('cdr_ingest_skipped_records_total{source="fs"} 1');
    await until(async () => (await switches.depth('cdrs.create')) === 0);
  });

  it('may name only its machines', async () => {
    publish({ id: 'c-1', host: 'm-2' });
    expect(await codesOf('c-1')).toEqual(['402']);
    expect(await storedCalls('c-1')).toEqual([]);
  });

  it('has a record without a cost refused, never stored as free', async () => {
    publish({ id: 'd-1', price: undefined });
    expect(await codesOf('d-1')).toEqual(['400']);
    expect(await db.rows(`select reason, source from dead_letters where uniqueid = 'd-1'`)).toEqual([
      { reason: 'rejected', source: 'fs' },
    ]);
  });
});

describe('SIGHUP', () => {
  it('leaves the feeds in force where the file is wrong', async () => {
    writeFileSync(sourcesFile(), 'fs: { exchange: 1');
    worker.child.kill('SIGHUP');
    await worker.logged('the sources file cannot be used');
    publish({ id: 'e-1' });
    expect(await codesOf('e-1')).toEqual(['204']);
  });

  it('refuses another rule for uniqueids', async () => {
    writeFileSync(sourcesFile(), fileOf({ uniqueid: '{ join: [host, id] }' }));
    worker.child.kill('SIGHUP');
    await worker.logged('another one for fs');
    publish({ id: 'e-2' });
    expect(await codesOf('e-2')).toEqual(['204']);
  });

  it('takes a new feed into force and declares its exchange', async () => {
    writeFileSync(sourcesFile(), fileOf({ more: OTHER }));
    worker.child.kill('SIGHUP');
    await worker.logged('sources file read again');
    publish({ id: 'f-1' }, 'cdrs.from.other');
    expect(await codesOf('f-1')).toEqual(['204']);
    expect(await storedCalls('f-1')).toMatchObject([{ source: 'other' }]);
  });
});

describe('a worker whose file lacks a feed that is on record', () => {
  it('keeps its records as they came, under its name, to be replayed', async () => {
    writeFileSync(sourcesFile(), fileOf());
    worker.child.kill('SIGHUP');
    await until(() => worker.output().split('sources file read again').length > 2);
    publish({ id: 'g-1' }, 'cdrs.from.other');
    const kept = () =>
      db.rows(`select reason, source, verified::text, body::jsonb ->> 'id' as id from dead_letters
        where source = 'other'`);
    await until(async () => (await kept()).length > 0);
    expect(await kept()).toEqual([{ reason: 'failed', source: 'other', verified: 'false', id: 'g-1' }]);
    expect(await storedCalls('g-1')).toEqual([]);
    writeFileSync(sourcesFile(), fileOf({ more: OTHER }));
    worker.child.kill('SIGHUP');
    await until(() => worker.output().split('sources file read again').length > 3);
    const operator = { CDR_USERNAME: 'boss', CDR_PASSWORD: 'nobody-needs-it' };
    const replay = ['dead', 'replay', '--source', 'other', '--unverified', '--json'];
    expect(await runInProcess(replay, { ...environment(), ...operator })).toMatchObject({ code: 0 });
    expect(await storedCalls('g-1')).toMatchObject([{ source: 'other', submitted_by: 'boss' }]);
  });
});

describe('a worker', () => {
  it('ends with exit 2 where the file is wrong, and says where', async () => {
    writeFileSync(sourcesFile(), 'fs:\n  exchange: x\n  format: xml\n');
    const ended = await runCommand(['worker'], environment());
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toMatch(/sources\.yaml: line 3, column 11: .*json, form, csv or positional/);
  });

  it('ends with exit 2 where a feed makes uniqueids by another rule, unless that is accepted', async () => {
    writeFileSync(sourcesFile(), fileOf({ uniqueid: '{ join: [host, id] }' }));
    const refused = await runCommand(['worker'], environment());
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('--accept-new-uniqueids');
    const accepting = await startProcess(['worker', '--accept-new-uniqueids'], environment());
    await accepting.logged('"queue":"cdrs.create","state":"consuming"');
    expect(await accepting.stop()).toBe(0);
    const again = await startProcess(['worker'], environment());
    await again.logged('"queue":"cdrs.create","state":"consuming"');
    expect(await again.stop()).toBe(0);
  });
});
