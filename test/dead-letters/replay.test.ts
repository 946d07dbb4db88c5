import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reconcile } from '../../src/store/reconcile.ts';
import {
  callOf,
  type Observer,
  type OperatorSite,
  openObserver,
  openOperatorSite,
} from '../support/operators.ts';

let site: OperatorSite;
let observer: Observer;

beforeAll(async () => {
  site = await openOperatorSite('dead-letters-replay');
  observer = await openObserver(site.db.amqpUrl);
});

afterAll(async () => {
  await observer?.close();
  await site?.close();
});

const deadLettersOf = (uniqueid: string) =>
  site.db.rows(
    `select id::text, reason, status, replays::text, deaths::text, edits::text from dead_letters
     where uniqueid = '${uniqueid}' order by id`,
  );
const storedAs = (uniqueid: string) =>
  site.db.rows(
    `select submitted_by, replayed_by, scustomer::text, trim_scale(cost)::text as cost from cdrs where uniqueid = '${uniqueid}'`,
  );
const eventsOf = (uniqueid: string) =>
  site.db.rows(
    `select event, e.by, why, attempt::text from dead_letter_events e join dead_letters d on d.id = dead_letter
     where uniqueid = '${uniqueid}' order by e.id`,
  );
/** A refused call; resolves when its dead letter is there. */
async function refused(parameters: Record<string, unknown>): Promise<string> {
  const correlationId = `ask ${parameters.uniqueid}`;
  const before = observer.heard.filter((one) => one.correlationId === correlationId).length;
  await observer.send(callOf(parameters), correlationId);
  const answers = await observer.answers(correlationId, before + 1);
  expect(answers.at(-1)?.code).toMatch(/^4/);
  const [latest] = await site.db.rows(
    `select id::text from dead_letters where uniqueid = '${parameters.uniqueid}' order by id desc limit 1`,
  );
  return latest?.id ?? '';
}

describe('a replay', () => {
  it('stores a call whose customer was created since, and answers where the switch first asked', async () => {
    const id = await refused({ uniqueid: 'new-1', scustomer: 77 });
    await site.db.execute(`insert into customers (id, name, currency) values (77, 'new', 'USD')`);
    const { code, stdout } = await site.dead(['replay', '--customer', '77']);
    expect(code).toBe(0);
    expect(stdout).toContain('1 resolved');
    expect(await storedAs('new-1')).toEqual([
      { submitted_by: 'switch', replayed_by: 'boss', scustomer: '77', cost: '1.5' },
    ]);
    expect(await deadLettersOf('new-1')).toMatchObject([
      { id, reason: 'rejected', status: 'resolved', replays: '1' },
    ]);
    expect((await observer.answers('ask new-1', 2)).map((answer) => answer.code)).toEqual(['400', '204']);
    expect(await eventsOf('new-1')).toEqual([
      { event: 'replayed', by: 'boss', why: null, attempt: '1' },
      { event: 'resolved', by: 'boss', why: null, attempt: '1' },
    ]);
  });

  it('skips an unverified dead letter until its reason is named and the operator vouches for it', async () => {
    const id = await refused({ uniqueid: 'forged-1', auth_password: 'wrong' });
    expect(await site.deadJson(['replay', '--all'])).toMatchObject({ sent: 0 });
    const named = await site.dead(['replay', id]);
    expect(named).toMatchObject({ code: 1, stdout: expect.stringContaining('--reason unauthenticated') });
    const onlyNamed = await site.dead(['replay', id, '--reason', 'unauthenticated']);
    expect(onlyNamed).toMatchObject({ code: 1, stdout: expect.stringContaining('--unverified') });
    expect(await storedAs('forged-1')).toEqual([]);
    const both = ['replay', id, '--reason', 'unauthenticated', '--unverified'];
    expect(await site.deadJson(both)).toMatchObject({ resolved: 1 });
    expect(await storedAs('forged-1')).toMatchObject([{ submitted_by: 'boss', replayed_by: 'boss' }]);
  });

  it('stores an unverified call that asked only for validation, if an operator vouches for it', async () => {
    const id = await refused({ uniqueid: 'asked-1', auth_password: 'wrong', validation: 1 });
    const replay = ['replay', id, '--reason', 'unauthenticated', '--unverified'];
    expect(await site.dead([...replay, '--set', 'validation=1'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('validation'),
    });
    await site.db.execute(`update dead_letters set edits = '{"validation":"1"}' where id = ${id}`);
    const dry = await site.dead([...replay, '--dry-run', '--json']);
    expect(dry.code).toBe(0);
    expect(JSON.parse(dry.stdout)).toMatchObject({ rows: [{ becomes: 'accepted', charged: '1.5' }] });
    expect(await site.deadJson(replay)).toMatchObject({ resolved: 1 });
    expect(await storedAs('asked-1')).toMatchObject([{ replayed_by: 'boss' }]);
    expect(await deadLettersOf('asked-1')).toMatchObject([{ status: 'resolved' }]);
  });

  it('resolves a dead letter whose call the switch has sent again itself', async () => {
    await refused({ uniqueid: 'again-1', scustomer: 78 });
    await site.db.execute(`insert into customers (id, name, currency) values (78, 'late', 'USD')`);
    expect(await site.submit({ uniqueid: 'again-1', scustomer: 78 })).toEqual([{ code: '204', key: '' }]);
    expect(await site.deadJson(['replay', '--uniqueid', 'again-1'])).toMatchObject({ resolved: 1 });
    expect(await storedAs('again-1')).toMatchObject([{ replayed_by: null }]);
    expect(await deadLettersOf('again-1')).toMatchObject([{ status: 'resolved' }]);
  });

  it('corrects a parameter and keeps the original with who and why', async () => {
    const id = await refused({ uniqueid: 'fix-1', scustomer: 999 });
    const why = 'moved to customer 2';
    const fixed = await site.dead(['replay', id, '--set', 'scustomer=2', '--set', 'cost=2', '--why', why]);
    expect(fixed.code).toBe(0);
    expect(await storedAs('fix-1')).toMatchObject([{ scustomer: '2', cost: '2' }]);
    expect(await site.deadJson(['show', id])).toMatchObject({
      call: { scustomer: 999, cost: '1.50' },
      edits: { scustomer: '2', cost: '2' },
      history: [
        { event: 'died', text: expect.stringContaining('scustomer') },
        { event: 'edited', by: 'boss', why, text: expect.stringContaining('scustomer: 999 → "2"') },
        { event: 'replayed', by: 'boss', why },
        { event: 'resolved', by: 'boss' },
      ],
    });
  });

  it('dies again with its new reason where the call is still refused', async () => {
    await refused({ uniqueid: 'worse-1', scustomer: 998 });
    await site.submit({ uniqueid: 'worse-1', scustomer: 1 });
    const { code } = await site.dead(['replay', '--uniqueid', 'worse-1']);
    expect(code).toBe(1);
    expect(await deadLettersOf('worse-1')).toMatchObject([
      { reason: 'conflict', status: 'dead', deaths: '2' },
    ]);
    expect((await observer.answers('ask worse-1', 2)).map((answer) => answer.code)).toEqual(['400', '400']);
  });

  it('merges into a dead letter of the same reason and content', async () => {
    const id = await refused({ uniqueid: 'twin-1', scustomer: 997 });
    await site.submit({ uniqueid: 'twin-1', scustomer: 1 });
    const twin = await refused({ uniqueid: 'twin-1', scustomer: 997 });
    await site.dead(['replay', id]);
    expect(await deadLettersOf('twin-1')).toMatchObject([
      { id, reason: 'rejected', status: 'discarded' },
      { id: twin, reason: 'conflict', status: 'dead', deaths: '2' },
    ]);
  });

  it('sets another uniqueid only for one conflict at a time, with a reason', async () => {
    await site.submit({ uniqueid: 'taken-1', cost: 1 });
    const id = await refused({ uniqueid: 'taken-1', cost: 2 });
    const set = ['--set', 'uniqueid=taken-1b'];
    expect(await site.dead(['replay', id, ...set])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('why'),
    });
    const other = await refused({ uniqueid: 'bad-1', scustomer: 996 });
    expect((await site.dead(['replay', other, ...set, '--why', 'x'])).code).toBe(2);
    expect((await site.dead(['replay', id, ...set, '--why', 'the switch counts from 1'])).code).toBe(0);
    expect(await storedAs('taken-1b')).toMatchObject([{ cost: '2' }]);
    await site.dead(['discard', other, '--why', 'a test call', '--yes']);
  });

  it('corrects a mistyped routing key', async () => {
    await site.client.submitTo('cdr.create', { body: JSON.stringify(callOf({ uniqueid: 'lost-1' })) });
    expect(await deadLettersOf('lost-1')).toMatchObject([{ reason: 'unroutable' }]);
    expect((await site.dead(['replay', '--uniqueid', 'lost-1', '--unverified'])).code).toBe(0);
    expect(await storedAs('lost-1')).toMatchObject([{ replayed_by: 'boss' }]);
  });
});

describe('a replay header', () => {
  it('admits its message once, and answers a second copy like the first', async () => {
    await refused({ uniqueid: 'once-1', scustomer: 80 });
    await site.db.execute(`insert into customers (id, name, currency) values (80, 'once', 'USD')`);
    await observer.replaysSeen();
    await site.dead(['replay', '--uniqueid', 'once-1']);
    const [message] = await observer.replaysSeen();
    if (message === undefined) throw new Error('the replay did not come through the switch client');
    expect(message.body.toString()).not.toContain('auth_');
    await observer.send(message.body, 'copy', message.replayHeader);
    expect(await observer.answers('copy')).toMatchObject([{ code: '204', isDuplicate: true }]);
    expect(await site.db.rows(`select calls::text from customers where id = 80`)).toEqual([{ calls: '1' }]);
  });

  it('is refused as unauthenticated when it is forged, of an older attempt, or with another body', async () => {
    const id = await refused({ uniqueid: 'old-1', scustomer: 995 });
    await observer.replaysSeen();
    await site.dead(['replay', id]);
    const [first] = await observer.replaysSeen();
    await site.dead(['replay', id]);
    const [second] = await observer.replaysSeen();
    if (first === undefined || second === undefined) throw new Error('both replays should have been seen');
    const other = Buffer.from(
      JSON.stringify({ uniqueid: 'evil-1', machine: 'm', start: 1, scustomer: 1, cost: 1 }),
    );
    await observer.send(other, 'other body', second.replayHeader);
    await observer.send(other, 'made up', `${id}.3.${'A'.repeat(43)}`);
    await observer.send(other, 'no token', 'let me in');
    for (const name of ['other body', 'made up', 'no token'])
      expect(await observer.answers(name)).toMatchObject([{ code: '401' }]);
    expect(await deadLettersOf('evil-1')).toMatchObject([
      { reason: 'unauthenticated', status: 'dead', deaths: '3' },
    ]);
    expect(await storedAs('evil-1')).toEqual([]);
    await observer.send(first.body, 'older attempt', first.replayHeader);
    // Its answer is not the sender's business any more: it goes to cdrs.results, and leaves no dead letter.
    await observer.send(second.body, 'latest attempt', second.replayHeader);
    expect(await observer.answers('latest attempt')).toMatchObject([{ code: '400' }]);
    expect(observer.heard.filter(({ correlationId }) => correlationId === 'older attempt')).toEqual([]);
    expect(await deadLettersOf('old-1')).toMatchObject([
      { reason: 'rejected', status: 'dead', replays: '2' },
    ]);
  });
});

describe('a dry run', () => {
  it('says what each would become and what would be charged, and changes nothing', async () => {
    const ids = [
      await refused({ uniqueid: 'dry-1', scustomer: 90, cost: '1.25', taxes: '1' }),
      await refused({ uniqueid: 'dry-2', scustomer: 90, cost: '2', peer: 55 }),
      await refused({ uniqueid: 'dry-1', scustomer: 90, cost: '3' }),
    ];
    await site.db.execute(`insert into customers (id, name, currency) values (90, 'dry', 'EUR')`);
    const before = await site.db.rows(`select * from dead_letters where scustomer = 90 order by id`);
    const dryRun = await site.deadJson<{ rows: { id: string; becomes: string; charged: string }[] }>([
      'replay',
      ...ids,
      '--dry-run',
    ]);
    expect(dryRun.rows).toMatchObject([
      { id: ids[0], becomes: 'accepted', customer: 90, charged: '1.38', currency: 'EUR' },
      { id: ids[1], becomes: 'rejected', code: '400', charged: null },
      { id: ids[2], becomes: 'conflict', code: '400', charged: null },
    ]);
    expect(await site.db.rows(`select * from dead_letters where scustomer = 90 order by id`)).toEqual(before);
    expect(await site.db.rows(`select calls::text from customers where id = 90`)).toEqual([{ calls: '0' }]);
    const { stdout, code } = await site.dead(['replay', ...ids, '--dry-run', '--set', 'peer=1']);
    expect(code).toBe(1);
    expect((await site.dead(['replay', ids[0] ?? '', '--dry-run'])).code).toBe(0);
    expect(stdout).toMatch(/90 .*2 .*3\.22 EUR/);
  });
});

describe('who may replay', () => {
  it.each([
    ['a viewer', { CDR_USERNAME: 'auditor' }, 1, /operator/],
    ['a switch', { CDR_USERNAME: 'switch' }, 1, /operator/],
    ['a wrong password', { CDR_PASSWORD: 'wrong-one' }, 1, /not those of a user/],
    ['nobody', { CDR_USERNAME: '', CDR_PASSWORD: '' }, 2, /CDR_USERNAME is missing/],
  ])('is not %s', async (_, environment, exit, says) => {
    const open = await site.ids(`status = 'dead'`);
    for (const command of [
      ['replay', '--all'],
      ['discard', '--all', '--why', 'x', '--yes'],
    ]) {
      const { code, stderr } = await site.dead(command, environment);
      expect({ code, says: says.test(stderr), secret: /wrong-one/.test(stderr) }).toEqual({
        code: exit,
        says: true,
        secret: false,
      });
    }
    expect(await site.ids(`status = 'dead'`)).toEqual(open);
  });
});

it('balances and invoices reconcile afterwards', async () => {
  const { proofs } = await reconcile(site.db);
  expect(proofs.filter(({ drift }) => drift > 0)).toEqual([]);
});
