import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openOperatorPublisher } from '../../src/broker/operator-publisher.ts';
import { type Placed, placeThrough } from '../../src/calls/order.ts';
import type { Order } from '../../src/store/calls/orders.ts';
import { block } from '../support/blocker.ts';
import { runInProcess } from '../support/in-process.ts';
import { type OperatorSite, openOperatorSite } from '../support/operators.ts';

let site: OperatorSite;
const MANY_COMMANDS_MS = 180_000;

beforeAll(async () => {
  site = await openOperatorSite('call-booking');
  await site.db.execute(`insert into invoices (id, customer, currency, period_start, period_end, status) values
    (12, 1, 'USD', now() - interval '1 day', now() + interval '1 day', 'open')`);
}, 300_000);

afterAll(async () => {
  await site?.close();
});

const call = (args: readonly string[], environment: Record<string, string> = {}) =>
  runInProcess(['call', ...args], { ...site.environment, ...environment });
async function callJson<Result>(args: readonly string[]): Promise<Result> {
  const { stdout, stderr } = await call([...args, '--json']);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

const dead = (...args: string[]) => runInProcess(['dead', ...args], site.environment);

/** What customer and invoices have by now. */
const books = () =>
  site.db.rows(`select trim_scale(balance)::text as balance, trim_scale(charged)::text as charged, calls::text,
    (select string_agg(id || ': ' || calls || ' ' || trim_scale(total), ', ' order by id) from invoices where calls <> 0) as invoices
    from customers where id = 1`);

describe('what would move', () => {
  it('is said of a void: whose balance, which invoice, and that nothing was changed', async () => {
    await site.submit({ uniqueid: 'v-1', cost: '2', taxes: '1' });
    const before = await books();
    const { stdout, code } = await call(['void', 'v-1', '--dry-run']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/1 one +│ \+2\.40 USD +│ -1 /);
    expect(stdout).toMatch(/10 +│ -1\.84 EUR │ -0\.368 EUR │ -2\.208 EUR │ -1 /);
    expect(stdout).toContain('Dry run: nothing was changed.');
    expect(await books()).toEqual(before);
  });

  it('is said of a correction, with the terms of today, and where a closed invoice sends it', async () => {
    await site.submit({ uniqueid: 'v-2', cost: '2' });
    await site.db.execute(`update invoices set status = 'closed' where id = 10`);
    const preview = await callJson(['correct', 'v-2', '--set', 'cost=3', '--set', 'taxes=2', '--dry-run']);
    await site.db.execute(`update invoices set status = 'open' where id = 10`);
    expect(preview).toMatchObject({
      ...{ uniqueid: 'v-2', operation: 'update', follows: '', booked: false, dry_run: true },
      balances: [{ customer: 1, currency: 'USD', balance: '-1.05', calls: 0 }],
      invoices: [{ invoice: 12, total: '3.05', calls: 1 }],
      late: [{ customer: 1, cost: '-2', currency: 'USD' }],
      warnings: [
        expect.stringContaining('the invoice 10 is closed, and customer 1 has no open invoice'),
        expect.anything(),
      ],
    });
  });
});

describe('a customer that another program has locked', () => {
  it('is not waited for by whoever only looks', async () => {
    await site.submit({ uniqueid: 'l-1', cost: '2' });
    const lock = await block(site.db, 'select id from customers where id = 1 for update');
    const { code, stderr } = await call(['void', 'l-1', '--dry-run']);
    await lock.end();
    expect([code, stderr]).toEqual([1, expect.stringContaining('locked by somebody else')]);
  });
});

describe('call correct and call void', () => {
  it('book in the name of the operator, say what was booked, and are in the activity', async () => {
    await site.submit({ uniqueid: 'b-1', cost: '2' });
    const before = await books();
    const corrected = await call(['correct', 'b-1', '--set', 'cost=3', '--why', 'rated wrong', '--yes']);
    expect(corrected).toMatchObject({ code: 0, stderr: '' });
    expect(corrected.stdout).toMatch(/booked as entry [0-9a-f-]{36}/);
    expect(corrected.stdout).toMatch(
      /reversing │ boss .*-2\.00 USD.*\n.*new +│ boss .*3\.00 USD .*rated wrong/,
    );
    const voided = await callJson<{ booked: boolean }>(['void', 'b-1', '--why', 'a test', '--yes']);
    expect(voided).toMatchObject({ booked: true, follows: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    const after = await books();
    const [was, is] = [before[0], after[0]];
    expect(Number(was?.balance) - Number(is?.balance)).toBe(-2);
    const log = JSON.parse((await dead('log', '--limit', '2', '--json')).stdout);
    expect(log).toMatchObject([
      { who: 'boss', act: 'call voided', detail: { uniqueid: 'b-1', why: 'a test' } },
      { who: 'boss', act: 'call corrected', detail: { uniqueid: 'b-1', why: 'rated wrong' } },
    ]);
    const again = await call(['void', 'b-1', '--why', 'once more', '--yes']);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('nothing was booked: 400 uniqueid: the call is voided');
    expect(await books()).toEqual(after);
  });

  it('move no money for messages and included time', async () => {
    await site.submit({ uniqueid: 'b-2', cost: '2' });
    const before = await books();
    const { stdout, code } = await call(['correct', 'b-2', '--set', 'time=60', '--why', 'counted', '--yes']);
    expect([code, stdout.includes('no money moves')]).toEqual([0, true]);
    expect(await books()).toEqual(before);
  });

  it.each([
    [['correct', 'b-2', '--set', 'start=1', '--why', 'x', '--yes'], 2, 'with customer, cost, currency'],
    [['correct', 'b-2', '--why', 'x', '--yes'], 2, 'expected --set with customer, cost'],
    [['correct', 'b-2', '--set', 'cost=1', '--yes'], 2, '--why: expected the reason'],
    [['correct', 'b-2', '--set', 'cost=1', '--why', 'x'], 2, '--yes: expected'],
    [['correct', 'b-2', '--set', 'currency=XXX', '--why', 'x', '--yes'], 1, '400 currency: unknown currency'],
    [['correct', 'b-2', '--set', 'customer=99', '--why', 'x', '--yes'], 1, '400 customer: customer 99'],
    [['correct', 'b-2', '--take', '999', '--why', 'x', '--yes'], 1, 'there is no dead letter 999'],
    [['void', 'nobody', '--why', 'x', '--yes'], 1, 'there is no stored call "nobody"'],
  ])('refuse what cannot be booked: %j', async (args, code, words) => {
    const result = await call(args);
    expect(result.stderr).toContain(words);
    expect(result.code).toBe(code);
  });

  it('need an operator', async () => {
    const args = ['void', 'b-2', '--why', 'x', '--yes'];
    for (const [user, words] of [
      ['auditor', 'has role viewer; this command needs an operator'],
      ['switch', 'has role system; this command needs an operator'],
      ['', 'CDR_USERNAME is missing'],
    ] as const)
      expect((await call(args, { CDR_USERNAME: user })).stderr).toContain(words);
    expect(
      await site.db.rows(`select 1 as one from corrections where uniqueid = 'b-2' and kind = 'reversing'`),
    ).toEqual([]);
  });

  it('book one of two that were shown the same call, and tell the other', async () => {
    await site.submit({ uniqueid: 'b-3', cost: '2' });
    const before = await books();
    const both = await Promise.all([order('b-3', '3'), order('b-3', '4')]);
    expect(both.map(({ kind }) => kind).sort()).toEqual(['booked', 'refused']);
    expect(both.find(({ kind }) => kind === 'refused')).toMatchObject({
      responses: [
        { key: 'uniqueid', message: expect.stringMatching(/corrected since it was shown|at the same time/) },
      ],
    });
    const moved = Number(before[0]?.balance) - Number((await books())[0]?.balance);
    expect([1, 2]).toContain(moved);
  });
});

/** Has a cost booked as if a command had been shown the call as it was stored. */
async function order(uniqueid: string, cost: string): Promise<Placed> {
  const id = randomUUID();
  const one: Order = {
    ...{ id, operation: 'update', uniqueid, follows: '', operator: 'boss', why: 'x', program: 'command' },
    deadLetter: null,
  };
  const open = () => openOperatorPublisher({ urls: [site.db.amqpUrl] }, 'test');
  const stop = new AbortController().signal;
  return await placeThrough(open, one, { cost }, { sql: site.db.sql, patienceMs: 20_000, stop });
}

describe('a conflict', () => {
  it('gives its values to the stored call, as far as a correction can, and is resolved by that', async () => {
    await site.submit({ uniqueid: 'c-1', cost: '2', snumber: '555' });
    await site.submit({ uniqueid: 'c-1', cost: '5', taxes: '1', snumber: '556' });
    const [letter = ''] = await site.ids(`uniqueid = 'c-1'`);
    const shown = await dead('show', letter);
    expect(shown.stdout).toContain(`call correct c-1 --take ${letter} --why`);
    const taken = await call(['correct', 'c-1', '--take', letter, '--why', 'sent too early', '--yes']);
    expect(taken.stderr).toContain('staying as they are stored: snumber');
    expect(taken).toMatchObject({ code: 0 });
    expect(
      await site.db.rows(`select trim_scale(cost)::text as cost, taxes, trim_scale(charged)::text as charged
      from corrections where uniqueid = 'c-1' and kind = 'new'`),
    ).toEqual([{ cost: '5', taxes: '1', charged: '6' }]);
    const view = JSON.parse((await dead('show', letter, '--json')).stdout);
    expect(view.status).toBe('resolved');
    expect(view.history.at(-1)).toMatchObject({
      event: 'resolved',
      text: expect.stringContaining('took its values: entry'),
    });
    const again = await call(['correct', 'c-1', '--take', letter, '--why', 'x', '--yes']);
    expect(again.stderr).toContain('is resolved: there is nothing to decide');
  });
});

describe('docs/calls.md', () => {
  it('shows commands that do what they say, in their order', { timeout: MANY_COMMANDS_MS }, async () => {
    await site.submit({ uniqueid: 'doc-1', cost: '2' });
    await site.submit({ uniqueid: 'doc-2', cost: '2' });
    await site.submit({ uniqueid: 'doc-3', cost: '2' });
    await site.submit({ uniqueid: 'doc-3', cost: '5' });
    const [letter = ''] = await site.ids(`uniqueid = 'doc-3'`);
    const page = readFileSync(new URL('../../docs/calls.md', import.meta.url), 'utf8');
    const commands = [...page.matchAll(/^cdr-ingest call (.+)$/gm)].map(([, line = '']) =>
      [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? ''),
    );
    expect(commands.length).toBeGreaterThan(6);
    for (const args of commands) {
      const own = args.map((arg, index) => (args[index - 1] === '--take' ? letter : arg));
      const { code, stderr } = await call(own);
      expect([args.join(' '), code, stderr]).toEqual([args.join(' '), 0, '']);
    }
    expect(await site.ids(`uniqueid = 'doc-3' and status = 'resolved'`)).toEqual([letter]);
  });
});

describe('without a worker', () => {
  it('an order waits on record, and the command says how to look', async () => {
    await site.submit({ uniqueid: 'w-1', cost: '2' });
    await site.worker.stop();
    const open = () => openOperatorPublisher({ urls: [site.db.amqpUrl] }, 'test');
    const stop = AbortSignal.abort();
    const one: Order = {
      ...{ id: randomUUID(), operation: 'void', uniqueid: 'w-1', follows: '', operator: 'boss', why: 'x' },
      ...{ program: 'command', deadLetter: null },
    };
    const placed = await placeThrough(open, one, {}, { sql: site.db.sql, patienceMs: 20_000, stop });
    expect(placed).toEqual({ kind: 'unanswered' });
    const { stdout } = await call(['show', 'w-1']);
    expect(stdout).toMatch(/void asked for by boss .* not answered yet: x/);
  });
});
