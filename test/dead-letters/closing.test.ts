import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OperatorSite, openOperatorSite } from '../support/operators.ts';
import { answering, onTerminal } from '../support/terminal.ts';

let site: OperatorSite;

beforeAll(async () => {
  site = await openOperatorSite('dead-letters-closing');
  await site.db.execute(`insert into customers (id, name, currency) values (5, 'Old Mill Brewery', 'EUR')`);
});

afterAll(async () => {
  await site?.close();
});

/** A call of this customer that is refused for its misspelt parameter; the id of its dead letter. */
async function dead(uniqueid: string, more: Record<string, unknown> = {}): Promise<string> {
  await site.submit({ uniqueid, cots: 1, ...more });
  const [id = ''] = await site.ids(`uniqueid = '${uniqueid}'`);
  return id;
}

const statusOf = async (id: string) => {
  const [row] = await site.db.rows(`select status from dead_letters where id = ${id}`);
  return row?.status;
};

describe.each(['discard', 'reopen'])('dead %s', (name) => {
  it.each([
    ['ids, a filter or --all', ['--why', 'x', '--yes'], '--all'],
    ['a reason', ['--all', '--yes'], '--why'],
    ['a reason that is not blank', ['--all', '--yes', '--why', ' '], '--why'],
  ])('expects %s, else exits 2 and does nothing', async (_, args, named) => {
    const id = await dead(`${name}-usage`);
    const before = await statusOf(id);
    const { code, stdout, stderr } = await site.dead([name, ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(named);
    expect(await statusOf(id)).toBe(before);
  });
});

describe('dead discard', () => {
  it('without a terminal needs --yes, and says how many it would discard', async () => {
    const id = await dead('yes-1');
    const { code, stdout, stderr } = await site.dead(['discard', id, '--why', 'x']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('--yes');
    expect(stderr).toContain('1 dead letter would be discarded');
    expect(await statusOf(id)).toBe('dead');
  });

  it('shows count, customers by name and money at stake before it discards', async () => {
    await dead('shown-1', { scustomer: 5, cost: '2.5', machine: 'm-shown' });
    await dead('shown-2', { scustomer: 5, cost: '0.4', currency: 'EUR', machine: 'm-shown' });
    await dead('shown-3', { scustomer: 5, cost: '999', auth_password: 'wrong', machine: 'm-shown' });
    const { stdout, code } = await site.dead(['discard', '--machine', 'm-shown', '--why', 'x', '--yes']);
    expect(code).toBe(0);
    expect(stdout).toContain('3 dead letters to be discarded');
    expect(stdout).toContain('at stake: 0.4 EUR, 2.5 USD');
    expect(stdout).toContain('1 of them of unverified senders');
    expect(stdout).toMatch(/5 Old Mill Brewery/);
    expect(stdout).not.toContain('999');
    const ids = await site.ids(`machine = 'm-shown'`);
    expect(stdout.indexOf('to be discarded')).toBeLessThan(stdout.indexOf('3 dead letters discarded'));
    expect([...(/dead reopen (.*) --why/.exec(stdout)?.[1] ?? '').split(' ')].sort()).toEqual(ids.sort());
  });

  it('on a terminal asks, and leaves everything as it is unless the answer is yes', async () => {
    const id = await dead('asked-1', { cost: '7' });
    const refused = await onTerminal(['dead', 'discard', id, '--why', 'x'], site.environment, answering('n'));
    expect(refused.output).toContain('at stake: 7 USD');
    expect(refused.output).toContain('Discard 1 dead letter? [y/N]');
    expect(refused.code).toBe(1);
    expect(await statusOf(id)).toBe('dead');
    const agreed = await onTerminal(['dead', 'discard', id, '--why', 'x'], site.environment, answering('y'));
    expect(agreed.code).toBe(0);
    expect(await statusOf(id)).toBe('discarded');
  });

  it('discards nothing where one of the dead letters has died again since it was shown', async () => {
    const id = await dead('changed-1', { machine: 'm-changed' });
    const args = ['dead', 'discard', '--machine', 'm-changed', '--why', 'x'];
    const { code, output } = await onTerminal(
      args,
      site.environment,
      answering('y', () => dead('changed-1', { machine: 'm-changed' })),
    );
    expect(output).toContain('changed');
    expect(code).toBe(1);
    expect(await statusOf(id)).toBe('dead');
  });

  it('leaves alone what died after it was shown', async () => {
    const id = await dead('later-1', { machine: 'm-later' });
    const args = ['dead', 'discard', '--machine', 'm-later', '--why', 'x'];
    let later = '';
    const { code } = await onTerminal(
      args,
      site.environment,
      answering('y', async () => {
        later = await dead('later-2', { machine: 'm-later' });
      }),
    );
    expect(code).toBe(0);
    expect([await statusOf(id), await statusOf(later)]).toEqual(['discarded', 'dead']);
  });

  it('for good keeps it closed when its switch sends the call again', async () => {
    const [open, closed] = [await dead('good-1'), await dead('good-2')];
    await site.dead(['discard', open, '--why', 'x', '--yes']);
    await site.dead(['discard', closed, '--why', 'x', '--yes', '--for-good']);
    await dead('good-1');
    await dead('good-2');
    expect([await statusOf(open), await statusOf(closed)]).toEqual(['dead', 'discarded']);
  });
});

describe('dead reopen', () => {
  it('undoes it with who and why, and replays as if it had never been closed', async () => {
    const id = await dead('undo-1', { scustomer: 777, cots: undefined });
    await site.dead(['discard', id, '--why', 'no customer', '--yes']);
    expect(await site.deadJson(['reopen', id, '--why', 'it has one now', '--yes'])).toEqual({
      reopened: 1,
      left_alone: 0,
    });
    expect(await site.deadJson(['show', id])).toMatchObject({
      status: 'dead',
      closed_at: null,
      history: [
        { event: 'died' },
        { event: 'discarded', why: 'no customer' },
        { event: 'reopened', by: 'boss', why: 'it has one now' },
      ],
    });
    await site.db.execute(`insert into customers (id, name, currency) values (777, 'late', 'USD')`);
    expect((await site.dead(['replay', id])).code).toBe(0);
    expect(await statusOf(id)).toBe('resolved');
  });

  it('does not reopen what is stored, and says so', async () => {
    const id = await dead('stored-1', { scustomer: 778, cots: undefined });
    await site.db.execute(`insert into customers (id, name, currency) values (778, 'late', 'USD')`);
    await site.dead(['replay', id]);
    const { code, stderr } = await site.dead(['reopen', id, '--why', 'x', '--yes']);
    expect(code).toBe(1);
    expect(stderr).toContain('not discarded');
    expect(await statusOf(id)).toBe('resolved');
  });
});

describe('dead log', () => {
  it('tells who discarded and reopened what, when and why', async () => {
    const id = await dead('log-1');
    await site.dead(['discard', id, '--why', 'to be logged', '--yes']);
    await site.dead(['reopen', id, '--why', 'logged back', '--yes']);
    const log = await site.deadJson<object[]>([
      'log',
      '--who',
      'boss',
      '--act',
      'discarded,reopened',
      '--limit',
      '2',
    ]);
    expect(log).toMatchObject([
      { act: 'reopened', who: 'boss', program: 'command', detail: { count: 1, why: 'logged back' } },
      { act: 'discarded', who: 'boss', program: 'command', detail: { count: 1, why: 'to be logged' } },
    ]);
    const { stdout } = await site.dead(['log', '--since', '1h', '--limit', '1']);
    expect(stdout).toContain('logged back');
    expect(stdout).not.toContain('to be logged');
    expect(stdout).toContain('--limit');
    expect(await site.deadJson(['log', '--until', '1h'])).toEqual([]);
  });

  it('exits 2 for an act that there is not, and names those that there are', async () => {
    const { code, stderr } = await site.dead(['log', '--act', 'destroyed']);
    expect(code).toBe(2);
    expect(stderr).toContain('discarded, reopened');
  });
});
