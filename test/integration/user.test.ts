import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { verifyPassword } from '../../src/auth/password.ts';
import { readActivity } from '../../src/store/activity.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { readUsers } from '../../src/store/users.ts';
import { runInProcess } from '../support/in-process.ts';
import { migratedServices } from '../support/stack.ts';

let services: Awaited<ReturnType<typeof migratedServices>>;
let database: Database;

beforeAll(async () => {
  services = await migratedServices('user');
  database = openDatabase({
    url: services.databaseUrl,
    poolSize: 1,
    statementTimeoutMs: 5000,
    connectTimeoutMs: 5000,
    applicationName: 'user test',
  });
});

beforeEach(async () => {
  await database.prisma.user.deleteMany();
});

afterAll(async () => {
  await database.close(1000);
  await services.drop();
});

/** Runs `cdr-ingest user …` with this on its standard input. */
const user = (args: readonly string[], input = '', databaseUrl = services.databaseUrl) =>
  runInProcess(['user', ...args], { DATABASE_URL: databaseUrl }, input);

async function stored(name: string) {
  return (await readUsers(database.sql, [name])).get(name);
}

describe('user add', () => {
  test('creates a user with the password from standard input', async () => {
    const { code, stderr } = await user(['add', 'switch', '--role', 'system'], 'correct horse\n');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const row = await stored('switch');
    expect(row).toMatchObject({ role: 'system', active: true });
    expect(await verifyPassword(row?.passwordHash ?? '', 'correct horse')).toBe(true);
  });

  test('gives an existing user the new password, and enables it again', async () => {
    await user(['add', 'switch', '--role', 'system'], 'correct horse');
    await user(['disable', 'switch']);
    expect((await user(['add', 'switch', '--role', 'system'], 'battery staple')).code).toBe(0);
    const row = await stored('switch');
    expect(row).toMatchObject({ role: 'system', active: true });
    expect(await verifyPassword(row?.passwordHash ?? '', 'battery staple')).toBe(true);
  });

  test('gives an existing user another role only when told to', async () => {
    await user(['add', 'switch', '--role', 'system'], 'correct horse');
    await user(['disable', 'switch']);
    const refused = await user(['add', 'switch', '--role', 'operator'], 'battery staple');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('switch has role system; expected --change-role to make it operator');
    const before = await stored('switch');
    expect(before).toMatchObject({ role: 'system', active: false });
    expect(await verifyPassword(before?.passwordHash ?? '', 'correct horse')).toBe(true);
    const changed = await user(['add', 'switch', '--role', 'operator', '--change-role'], 'battery staple');
    expect(changed.code).toBe(0);
    expect(await stored('switch')).toMatchObject({ role: 'operator', active: true });
  });

  test('is on record in the activity, as is every change, without the password', async () => {
    await database.prisma.activity.deleteMany();
    await user(['add', 'switch', '--role', 'system', '--machine', 'm-1'], 'correct horse');
    await user(['add', 'switch', '--role', 'operator'], 'battery staple');
    await user(['add', 'switch', '--role', 'operator', '--change-role', '--any-machine'], 'battery staple');
    await user(['disable', 'switch']);
    await user(['disable', 'nobody']);
    const made = { who: null, program: 'command' };
    const activity = await readActivity(database.sql, { limit: 10 });
    expect(activity).toMatchObject([
      { ...made, act: 'user disabled', detail: { user: 'switch' } },
      {
        ...made,
        act: 'user changed',
        detail: { user: 'switch', role: 'operator', role_before: 'system' },
      },
      { ...made, act: 'user added', detail: { user: 'switch', role: 'system', machines: ['m-1'] } },
    ]);
    expect(activity).toHaveLength(3);
    expect(JSON.stringify(activity)).not.toMatch(/horse|staple|argon/);
    const [, second] = activity;
    expect(await readActivity(database.sql, { limit: 1, before: second?.id })).toEqual(activity.slice(2));
    expect(await readActivity(database.sql, { limit: 9, acts: ['user changed'] })).toEqual([second]);
    expect(await readActivity(database.sql, { limit: 9, until: new Date(0) })).toEqual([]);
  });

  test('confines a user to machines and customers, and leaves that alone until told otherwise', async () => {
    const add = (...args: string[]) => user(['add', 'switch', '--role', 'system', ...args], 'correct horse');
    await add();
    expect(await stored('switch')).toMatchObject({ confinement: null });
    expect((await add('--machine', 'm-1', 'm-2', '--customer', '7', '--customer', '8')).code).toBe(0);
    const machines = new Set(['m-1', 'm-2']);
    expect(await stored('switch')).toMatchObject({ confinement: { machines, customers: new Set([7, 8]) } });
    // A new password is no reason to let anybody do more.
    await add();
    expect(await stored('switch')).toMatchObject({ confinement: { machines, customers: new Set([7, 8]) } });
    await add('--any-customer');
    expect(await stored('switch')).toMatchObject({ confinement: { machines, customers: null } });
    await add('--any-machine');
    expect(await stored('switch')).toMatchObject({ confinement: null });
    // So is one who corrects calls.
    await user(['add', 'shop', '--role', 'commerce', '--customer', '7'], 'correct horse');
    expect(await stored('shop')).toMatchObject({ confinement: { machines: null, customers: new Set([7]) } });
  });

  test('says how often a switch is heard of, and leaves that alone until told otherwise', async () => {
    const every = async (...args: string[]) => {
      const { code } = await user(['add', 'switch', '--role', 'system', ...args], 'correct horse');
      const [row] = JSON.parse((await user(['list', '--json'])).stdout) as { everySeconds: number | null }[];
      return { code, every: row?.everySeconds };
    };
    expect(await every()).toEqual({ code: 0, every: null });
    expect(await every('--every', '15m')).toEqual({ code: 0, every: 900 });
    expect((await user(['list'])).stdout).toContain(' 15m ');
    expect(await every()).toEqual({ code: 0, every: 900 });
    expect(await every('--every', 'none')).toEqual({ code: 0, every: null });
  });

  test('reads an empty list as nothing at all, and null as anything', async () => {
    await user(['add', 'switch', '--role', 'system'], 'correct horse');
    await database.prisma.$executeRawUnsafe(`update users set customers = '{}'`);
    expect(await stored('switch')).toMatchObject({ confinement: { machines: null, customers: new Set() } });
  });

  test.each([
    ['a short password', ['switch', '--role', 'system'], 'seven77'],
    ['a password of more than 1024 bytes', ['switch', '--role', 'system'], 'é'.repeat(513)],
    ['an unknown role', ['switch', '--role', 'root'], 'correct horse'],
    ['no role', ['switch'], 'correct horse'],
    ['a name of more than 255 characters', ['x'.repeat(256), '--role', 'system'], 'correct horse'],
    ['a control character in the name', ['a\tb', '--role', 'system'], 'correct horse'],
    ['an empty name', ['', '--role', 'system'], 'correct horse'],
    ['a machine that no call can have', ['switch', '--role', 'system', '--machine', ''], 'correct horse'],
    ['a customer that no call can have', ['switch', '--role', 'system', '--customer', '-1'], 'correct horse'],
    ['no time', ['switch', '--role', 'system', '--every', 'often'], 'correct horse'],
    ['an operator who is to be heard of', ['switch', '--role', 'operator', '--every', '1h'], 'correct horse'],
    ['a confined operator', ['switch', '--role', 'operator', '--machine', 'm-1'], 'correct horse'],
    [
      'machines, and any',
      ['switch', '--role', 'system', '--machine', 'm-1', '--any-machine'],
      'correct horse',
    ],
  ])('refuses %s with exit code 2 and stores nothing', async (_what, args, password) => {
    const { code, stdout, stderr } = await user(['add', ...args], password);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toContain(password);
    expect(await database.prisma.user.count()).toBe(0);
  });

  test('takes a name of 255 characters beyond the basic plane', async () => {
    const name = '𝄞'.repeat(255);
    expect((await user(['add', name, '--role', 'viewer'], 'correct horse')).code).toBe(0);
    expect(await stored(name)).toMatchObject({ role: 'viewer' });
  });
});

describe('user list', () => {
  test('shows the users in the order of their names, never a hash', async () => {
    await user(['add', 'switch', '--role', 'system'], 'correct horse');
    await user(['add', 'boss', '--role', 'operator'], 'correct horse');
    await user(['disable', 'switch']);
    await database.prisma.$executeRawUnsafe(
      `update users set machines = '{m-1,m-2}', customers = '{}' where username = 'switch'`,
    );
    const { stdout, code } = await user(['list']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/boss.*operator.*yes[\s\S]*switch.*system.*no/);
    expect(stdout).toMatch(/switch.*m-1, m-2.*none/);
    const json = await user(['list', '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject([
      { username: 'boss', role: 'operator', active: true, machines: null, customers: null },
      { username: 'switch', role: 'system', active: false, machines: ['m-1', 'm-2'], customers: [] },
    ]);
    expect(stdout + json.stdout).not.toContain('argon2');
  });

  test('says in one line why the database cannot be used, and exits 1', async () => {
    const { code, stderr, stdout } = await user(['list'], '', 'postgresql://nobody:secret@127.0.0.1:1/none');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^cdr-ingest: cannot reach the database at 127\.0\.0\.1:1; DATABASE_URL .*\n$/);
    expect(stderr).not.toContain('secret');
  });
});

describe('user disable', () => {
  test('keeps the user and shuts it out', async () => {
    await user(['add', 'switch', '--role', 'system'], 'correct horse');
    expect((await user(['disable', 'switch'])).code).toBe(0);
    expect(await stored('switch')).toMatchObject({ active: false });
  });

  test('exits 1 for a user who does not exist', async () => {
    const { code, stderr } = await user(['disable', 'nobody']);
    expect(code).toBe(1);
    expect(stderr).toContain('there is no user "nobody"');
  });
});

test('several users are read in one query, those who do not exist left out', async () => {
  await database.prisma.user.createMany({
    data: ['a', 'b', 'c'].map((username) => ({ username, passwordHash: 'x', role: 'system' })),
  });
  const users = await readUsers(database.sql, ['a', 'c', 'nobody']);
  expect([...users.keys()].toSorted()).toEqual(['a', 'c']);
  expect(users.get('a')).toEqual({
    username: 'a',
    passwordHash: 'x',
    role: 'system',
    active: true,
    confinement: null,
  });
});
