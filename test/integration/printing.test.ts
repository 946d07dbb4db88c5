import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upsertUser } from '../../src/store/users.ts';
import type { CommandResult } from '../support/in-process.ts';
import { runInProcess } from '../support/in-process.ts';
import { PASSWORD } from '../support/operators.ts';
import { cheapHash } from '../support/password.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { HOSTILE, unsafeIn } from '../support/unsafe.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

let db: BillingDatabase;
let consoleProcess: WorkerProcess;
let origin: string;
let directory: string;
let environment: Record<string, string>;

/** An operator, a switch, dead letters, their history and a stored call, hostile in every text of theirs. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cdr-printing-'));
  db = await billingDatabase('printing');
  const passwordHash = await cheapHash(PASSWORD);
  await upsertUser(db.sql, { username: 'boss', role: 'operator', passwordHash });
  for (const username of [HOSTILE, `second ${HOSTILE}`])
    await upsertUser(db.sql, { username, role: 'viewer', passwordHash });
  const stored = `stored-${HOSTILE}`.replace(/\p{Cc}/gu, '');
  const [outcome] = await db.persist([{ uniqueid: stored, note: HOSTILE, sname: HOSTILE, cost: '1' }]);
  expect(outcome?.kind).toBe('accepted');
  await db.execute(
    `update cdrs set submitted_by = ${quoted(HOSTILE)}, replayed_by = ${quoted(HOSTILE)}, charged = 7`,
  );
  const parameters = {
    machine: HOSTILE,
    [HOSTILE]: HOSTILE,
    note: HOSTILE,
    scustomer: '1',
    start: '1',
    cost: '2',
  };
  await deadLetter(stored, JSON.stringify({ uniqueid: stored, ...parameters }), 'conflict');
  await deadLetter(HOSTILE, JSON.stringify({ uniqueid: HOSTILE, ...parameters }), 'rejected');
  await deadLetter(HOSTILE, HOSTILE, 'poison');
  await db.execute(`update dead_letters set verified = true where reason <> 'poison'`);
  await db.execute(`insert into dead_letter_events (dead_letter, event, "by", why, detail)
    select id, 'edited', ${quoted(HOSTILE)}, ${quoted(HOSTILE)}, ${quoted(JSON.stringify({ set: { [HOSTILE]: { from: HOSTILE, to: HOSTILE } } }))}::jsonb
    from dead_letters`);
  environment = {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    CDR_USERNAME: 'boss',
    CDR_PASSWORD: PASSWORD,
  };
  consoleProcess = await startProcess(['console'], { ...environment, CONSOLE_PORT: '0' });
  origin = `http://127.0.0.1:${await consoleProcess.port()}`;
});

afterAll(async () => {
  await consoleProcess?.stop();
  await db?.drop();
  await rm(directory, { recursive: true, force: true });
});

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

async function deadLetter(uniqueid: string, body: string, reason: string): Promise<void> {
  const responses = JSON.stringify([{ code: '400', key: HOSTILE, message: HOSTILE }]);
  const properties = JSON.stringify({
    contentType: null,
    correlationId: HOSTILE,
    messageId: HOSTILE,
    replyTo: HOSTILE,
  });
  const differences = JSON.stringify([{ parameter: HOSTILE, stored: HOSTILE, received: HOSTILE }]);
  const digest = createHash('sha256').update(body).digest('hex');
  await db.execute(`insert into dead_letters
    (reason, uniqueid, machine, submitted_by, responses, body, digest, properties, differences, error, cost, edits) values
    ('${reason}', ${quoted(uniqueid)}, ${quoted(HOSTILE)}, ${quoted(HOSTILE)}, ${quoted(responses)}::jsonb, ${quoted(body)},
     '\\x${digest}', ${quoted(properties)}::jsonb, ${quoted(differences)}::jsonb, ${quoted(HOSTILE)}, 2,
     ${quoted(JSON.stringify({ note: HOSTILE }))}::jsonb)`);
}

const run = (args: readonly string[], more: Record<string, string> = {}) =>
  runInProcess(args, { ...environment, ...more });

function expectSafe({ stdout, stderr }: CommandResult): void {
  expect(unsafeIn(stdout.replaceAll('\r\n', '\n').replace(/^\ufeff/, ''))).toEqual([]);
  expect(unsafeIn(stderr)).toEqual([]);
  // A line of the product's own, forged by a text with a line break in it.
  expect(`${stdout}${stderr}`).not.toMatch(/^call 1: 204/m);
}

describe('with texts that are hostile in every place', () => {
  it.each([
    [['dead', 'list']],
    [['dead', 'list', '--json']],
    [['dead', 'list', '--group-by', 'machine']],
    [['dead', 'list', '--group-by', 'problem']],
    [['dead', 'list', '--columns', 'uniqueid,machine,answer,error,body']],
    [['dead', 'list', '--format', 'csv']],
    [['dead', 'log']],
    [['dead', 'list', '--group-by', 'uniqueid']],
    [['dead', 'list', '--group-by', 'sender']],
    [['dead', 'list', '--group-by', 'key']],
    [['dead', 'list', '--group-by', 'key', '--json']],
    [['dead', 'show', '1']],
    [['dead', 'show', '1', '--json']],
    [['dead', 'show', '2']],
    [['dead', 'show', '3']],
    [['dead', 'export']],
    [['dead', 'export', '--json']],
    [['dead', 'replay', '--all', '--dry-run']],
    [['dead', 'replay', '--all', '--dry-run', '--json']],
    [['dead', 'replay', '--all', '--dry-run', '--unverified']],
    [['user', 'list']],
    [['user', 'list', '--json']],
  ])('`%s` prints them, and nothing that a terminal obeys', async (args) => {
    const result = await run(args);
    expect(result.stderr).toBe('');
    // A dry run says that these stay dead.
    expect(result.code).toBe(args.includes('--dry-run') ? 1 : 0);
    expect(result.stdout).toContain('evil\\u001b');
    expectSafe(result);
  });

  it('`user disable` repeats the name safely', async () => {
    const result = await run(['user', 'disable', HOSTILE]);
    expect(result.code).toBe(0);
    expectSafe(result);
  });

  it('`dead export --csv` prints no control and no hidden character either, beside its line breaks', async () => {
    const { stdout, code } = await run(['dead', 'export', '--csv']);
    expect(code).toBe(0);
    expect(stdout).toContain('evil\\u001b');
    expect(unsafeIn(stdout.replaceAll('\r\n', '\n').replace(/^\ufeff/, ''))).toEqual([]);
  });

  it('`reconcile` and `reconcile --json` name the wrong call safely', async () => {
    for (const args of [['reconcile'], ['reconcile', '--json']]) {
      const result = await run(args);
      expect(result.code).toBe(1);
      expect(result.stdout).toContain('gnp');
      expectSafe(result);
    }
  });

  it.each([
    ['dead list', ['dead', 'list', '--reason', HOSTILE], {}],
    ['dead show', ['dead', 'show', HOSTILE], {}],
    ['dead list --group-by', ['dead', 'list', '--group-by', HOSTILE], {}],
    ['dead replay --set', ['dead', 'replay', '1', '--set', `${HOSTILE}=1`], {}],
    ['dead export --output', ['dead', 'export', '--output', `/nowhere/${HOSTILE}`], {}],
    ['user disable', ['user', 'disable', `no ${HOSTILE}`], {}],
    ['user add', ['user', 'add', 'x', '--role', HOSTILE], {}],
    ['an unknown command', [HOSTILE], {}],
    ['an unknown option', ['dead', 'list', `--${HOSTILE}`], {}],
    ['publish', ['publish', `/nowhere/${HOSTILE}`], {}],
    ['a variable', ['doctor'], { SYSTEM_CURRENCY: HOSTILE, DELIVERY_LIMIT: HOSTILE }],
    ['a queue that is not there', ['doctor'], { DATABASE_URL: 'postgresql://x:y@127.0.0.1:1/x\u202e' }],
  ])('a complaint of %s repeats what was typed safely', async (_name, args, more) => {
    const result = await run(args, more);
    expect(result.code).not.toBe(0);
    expectSafe(result);
  });

  it('`publish` says safely which calls were refused, and where a file is wrong', async () => {
    const file = join(directory, `calls\u202e.jsonl`);
    writeFileSync(file, `{"uniqueid": ${JSON.stringify(HOSTILE)}, ${HOSTILE}`);
    const result = await run(['publish', file]);
    expect(result.code).toBe(1);
    expectSafe(result);
  });

  it('the pages show them, and no byte that a browser would hide or turn round', async () => {
    const form = new URLSearchParams({ username: 'boss', password: PASSWORD });
    const entered = await fetch(`${origin}/sign-in`, { method: 'POST', body: form, redirect: 'manual' });
    const cookie = (entered.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    const query = new URLSearchParams({ status: '', machine: HOSTILE, uniqueid: HOSTILE }).toString();
    const csrf = async () =>
      /name="csrf" value="([^"]+)"/.exec(
        await (await fetch(`${origin}/`, { headers: { cookie } })).text(),
      )?.[1] ?? '';
    const tried = await fetch(`${origin}/dry-run`, {
      method: 'POST',
      headers: { cookie },
      body: new URLSearchParams({ csrf: await csrf() }),
    });
    const pages = [await tried.text()];
    for (const path of [
      '/',
      '/dead-letters',
      '/dead-letters?status=',
      `/dead-letters?${query}`,
      '/dead-letters/1',
      '/dead-letters/2',
      '/dead-letters/3',
      '/replays',
    ]) {
      const page = await fetch(`${origin}${path}`, { headers: { cookie } });
      expect(page.status).toBe(200);
      pages.push(await page.text());
    }
    expect(pages.filter((page) => page.includes('evil')).length).toBeGreaterThan(5);
    expect(pages.flatMap(unsafeIn)).toEqual([]);
  });

  it('the log of the console shows who could not sign in, safely', async () => {
    const form = new URLSearchParams({ username: `second ${HOSTILE}`, password: 'wrong-one' });
    await fetch(`${origin}/sign-in`, { method: 'POST', body: form });
    await consoleProcess.logged('"username":"second evil');
    expect(unsafeIn(consoleProcess.output())).toEqual([]);
  });
});
