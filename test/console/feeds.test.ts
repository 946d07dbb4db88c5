import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { upsertUser } from '../../src/store/users.ts';
import { PASSWORD, runCommand } from '../support/operators.ts';
import { cheapHash } from '../support/password.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

const SOURCES = `fs:
  exchange: cdrs.from.fs
  as: switch-fs
  machines: [m-1]
  format: json
  call: { uniqueid: id, machine: host, start: { from: begin, time: s }, scustomer: account, cost: price }
`;
const RECORD = '{"id":"u-1","host":"m-1","begin":"1790000000","account":1,"remark":"<b>&","digits":1.50}';

let db: BillingDatabase;
let consoleProcess: WorkerProcess;
let directory: string;
let origin: string;
let cookie: string;
let csrf: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'feeds-'));
  writeFileSync(join(directory, 'sources.yaml'), SOURCES);
  db = await billingDatabase('console-feeds');
  const passwordHash = await cheapHash(PASSWORD);
  await upsertUser(db.sql, { username: 'boss', role: 'operator', passwordHash });
  await db.execute(`insert into dead_letters (reason, uniqueid, source, body, digest, verified, submitted_by) values
    ('rejected', 'u-1', 'fs', '${RECORD}', '\\x01', true, 'switch-fs'),
    ('rejected', 'u-2', null, '{"uniqueid":"u-2"}', '\\x02', true, 'switch')`);
  consoleProcess = await startProcess(['console'], environment());
  origin = `http://127.0.0.1:${await consoleProcess.port()}`;
  const response = await post('/sign-in', { username: 'boss', password: PASSWORD });
  cookie = (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  csrf = /name="csrf" value="([^"]+)"/.exec(await page('/'))?.[1] ?? '';
});

afterAll(async () => {
  await consoleProcess?.stop();
  await db?.drop();
  rmSync(directory, { recursive: true, force: true });
});

function environment() {
  return {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    CONSOLE_PORT: '0',
    SOURCES_FILE: join(directory, 'sources.yaml'),
  };
}

const post = (path: string, form: Record<string, string>) =>
  fetch(`${origin}${path}`, {
    method: 'POST',
    body: new URLSearchParams(form),
    headers: { cookie: cookie ?? '' },
    redirect: 'manual',
  });
const page = async (path: string) => await (await fetch(`${origin}${path}`, { headers: { cookie } })).text();

/** The page of a dry run when it has ended, or of why there is none. */
async function dryRun(form: Record<string, string>): Promise<string> {
  const started = await post('/dry-run', { csrf, id: '1', reason: 'rejected', ...form });
  const path = started.headers.get('location');
  if (path === null) return await started.text();
  await expect.poll(() => page(path), { timeout: 30_000 }).toContain('This is what a replay would do');
  return await page(path);
}

it('the list has the feed of each dead letter and selects by it', async () => {
  const of = await page('/dead-letters?source=fs');
  expect(of).toContain('>u-1<');
  expect(of).toContain('>fs<');
  expect(of).not.toContain('>u-2<');
});

it('a record is shown as it came, with a line for each value', async () => {
  const shown = await page('/dead-letters/1');
  expect(shown).toContain('Record of the feed <b>fs</b>');
  expect(shown).toContain('  &quot;remark&quot;: &quot;&lt;b&gt;&amp;&quot;,\n  &quot;digits&quot;: 1.50\n');
});

it('a dry run maps with the file as it is now', async () => {
  expect(await dryRun({})).toContain('field price is missing');
  expect(await dryRun({ set_name: 'cost', set_value: '2.5', why: 'no price' })).toContain('2.50 USD');
  writeFileSync(join(directory, 'sources.yaml'), SOURCES.replace('cost: price', 'cost: digits'));
  expect(await dryRun({})).toContain('1.50 USD');
  writeFileSync(join(directory, 'sources.yaml'), SOURCES.replace('cost: price', 'cots: price'));
  expect(await dryRun({})).toMatch(/sources\.yaml: line \d+, column \d+/);
  expect(await runCommand(['console'], environment())).toMatchObject({ code: 2 });
});
