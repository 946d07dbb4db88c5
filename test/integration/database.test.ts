import { clearLogs, getLogs } from '@prisma/debug';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  classifyFailure,
  type Database,
  type DatabaseOptions,
  DatabaseUrlError,
  databaseReachable,
  describeFailure,
  openDatabase,
} from '../../src/store/database.ts';
import type { Prisma } from '../../src/store/generated/client.ts';
import { throughClient } from '../../src/store/prisma.ts';
import { frequent, type Statement, statement, unprepared } from '../../src/store/sql.ts';
import { migratedServices } from '../support/stack.ts';

let services: Awaited<ReturnType<typeof migratedServices>>;
let admin: Client;
const open: Database[] = [];

beforeAll(async () => {
  services = await migratedServices('database');
  admin = new Client({ connectionString: services.databaseUrl });
  await admin.connect();
  await admin.query(`insert into peers (id, name) values (1, 'one'), (2, 'two')`);
});

afterEach(async () => {
  await Promise.all(open.splice(0).map(({ close }) => close(1000)));
});

afterAll(async () => {
  await admin.end();
  await services.drop();
});

const connect = (options: Partial<DatabaseOptions> = {}) => connectWith(options).prisma;

function connectWith(options: Partial<DatabaseOptions> = {}): Database {
  const database = openDatabase({
    url: services.databaseUrl,
    poolSize: 2,
    statementTimeoutMs: 5000,
    connectTimeoutMs: 2000,
    applicationName: 'database test',
    ...options,
  });
  open.push(database);
  return database;
}

function urlWith(change: (url: URL) => void): string {
  const url = new URL(services.databaseUrl);
  change(url);
  return url.href;
}

/** What the promise rejects with. */
async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => Promise.reject(new Error('nothing failed')),
    (error: unknown) => error,
  );
}

/** Prisma runs a query only when somebody waits for it. */
function started<Value>(query: Promise<Value>): Promise<Value> {
  return query.then((value) => value);
}

const SECRET = 'geheim-4711';

async function expectFailure(
  kind: ReturnType<typeof classifyFailure>,
  says: string | RegExp,
  work: Promise<unknown>,
) {
  const error = await failureOf(work);
  const description = describeFailure(error);
  expect(description).toMatch(says);
  expect(classifyFailure(error)).toBe(kind);
  expect(description).not.toMatch(/\n/);
  expect(description).not.toContain(SECRET);
}

describe('a statement that is done', () => {
  test.each([
    ['select $1::text as one, $2::text as two', [{ one: 'a', two: 'b' }]],
    ['select $1::int as "no number", $2::text', undefined],
  ])('leaves neither values nor rows with Prisma: %s', async (text, expected) => {
    const prisma = connect();
    const held: unknown[] = [];
    const sql = throughClient({
      $queryRaw: ((query: Prisma.Sql) => {
        const asked = prisma.$queryRaw(query);
        held.push(query.values, asked);
        return asked;
      }) as typeof prisma.$queryRaw,
    });
    const rows = await sql(unprepared('test.values', text), ['a', 'b']).catch(() => undefined);
    expect(rows).toEqual(expected);
    const [values, asked] = held;
    expect(values).toEqual([]);
    // A promise of Prisma's answers again what it answered before.
    if (expected !== undefined) expect(await asked).toEqual([]);
  });
});

/** A frequent statement of any text. */
function often(text: string): Statement {
  return { name: 'test.often', text, isFrequent: true };
}

describe('a frequent statement', () => {
  const EVERYTHING = `select $1::text as "a text", $2::int as number, $3::float8 as real, $4::bool as yes, null as nothing,
    $5::text[] as texts, '{}'::text[] as none from generate_series(1, 2)`;
  const VALUES = ['a\t"b" ü', -7, 0.25, true, ['x', null, 'y,{"}\\']];

  test('takes and gives what others do', async () => {
    const { sql } = connectWith();
    const rows = await sql(often(EVERYTHING), VALUES);
    expect(rows).toHaveLength(2);
    expect(rows).toEqual(await sql(unprepared('test.seldom', EVERYTHING), VALUES));
  });

  test.each(['1::bigint', '1::numeric', 'now()', `'a'::bytea`, 'array[1]'])(
    'is refused where the client would convert its rows: %s',
    async (value) => {
      const failure = await failureOf(connectWith().sql(often(`select ${value} as one`), []));
      expect(String(failure)).toMatch('would convert: test.often');
    },
  );

  test('is prepared once under its name', async () => {
    const { sql, prisma } = connectWith({ poolSize: 1 });
    const named = frequent('test.frequent', 'select $1::int as number');
    for (let round = 0; round < 5; round += 1) await sql(named, [round]);
    expect(await prisma.$queryRaw`select name from pg_prepared_statements`).toEqual([
      { name: 'test.frequent' },
    ]);
  });

  test('leaves no value in what Prisma remembers, also where it fails', async () => {
    const { sql } = connectWith();
    clearLogs();
    await sql(often('select $1::text as one'), [SECRET]);
    await failureOf(sql(often('select $1::int as one'), [SECRET]));
    expect(getLogs()).not.toContain(SECRET);
  });

  test.each<[string, Partial<DatabaseOptions>, string, ReturnType<typeof classifyFailure>, string | RegExp]>([
    ['nobody listens', { url: 'nobody' }, 'select 1', 'outage', /^cannot reach the database at .+:1$/],
    ['a statement timeout', { statementTimeoutMs: 100 }, 'select pg_sleep(10)::text', 'outage', '57014'],
    ['a table that is missing', {}, 'select * from nothing', 'outage', '42P01'],
    [
      'terms that no longer hold',
      {},
      `select settle_assert(false, 'a tax')`,
      'collision',
      /^a tax \(.*CDR01\)$/,
    ],
    ['a number out of range', {}, 'select 1 / 0 as one', 'message', '22012'],
  ])('fails as others do: %s', async (_what, { url, ...options }, text, kind, says) => {
    const nobody = urlWith((to) => {
      to.port = '1';
    });
    const { sql } = connectWith({ ...options, ...(url !== undefined && { url: nobody }) });
    await expectFailure(kind, says, sql(unprepared('test.seldom', text), []));
    await expectFailure(kind, says, sql(often(text), []));
  });

  test('is an outage where no connection is free in time', async () => {
    const { sql } = connectWith({ poolSize: 1, connectTimeoutMs: 1000 });
    const held = sql(often('select pg_sleep(2)::text as slept'), []);
    await expectFailure('outage', 'timeout exceeded', sql(often('select 1 as one'), []));
    await held;
  });

  test('is told of with its time, and with its wait for a connection', async () => {
    const took: string[] = [];
    let waits = 0;
    const { sql } = connectWith({
      onStatement: (name) => took.push(name),
      onPoolWait: () => {
        waits += 1;
      },
    });
    await sql(often('select 1 as one'), []);
    await failureOf(sql(often('select 1 / 0 as one'), []));
    expect([took, waits]).toEqual([['test.often', 'test.often'], 2]);
  });

  test('is waited for at the end, and cut where that takes too long', async () => {
    const waited = connectWith().sql(often('select pg_sleep(0.3)::text as slept'), []);
    await open.pop()?.close(5000);
    expect(await waited).toHaveLength(1);
    const failure = failureOf(connectWith().sql(often('select pg_sleep(20)::text as slept'), []));
    await untilTrue(async () => {
      const { rows } = await admin.query(
        `select from pg_stat_activity where query like '%pg_sleep(20)%as slept'`,
      );
      return rows.length > 0;
    });
    const started = performance.now();
    await open.pop()?.close(100);
    expect(classifyFailure(await failure)).toBe('outage');
    expect(performance.now() - started).toBeLessThan(3000);
  });

  test('leaves no connection behind', async () => {
    const { sql } = connectWith({ applicationName: 'database test, the last' });
    await sql(often('select 1 as one'), []);
    await open.pop()?.close(1000);
    await untilTrue(async () => {
      const { rows } = await admin.query(
        `select from pg_stat_activity where application_name = 'database test, the last'`,
      );
      return rows.length === 0;
    });
  });
});

describe('a collision with others is tried again', () => {
  test('deadlock', async () => {
    const prisma = connect();
    const bothHold = meeting(2);
    const locking = ([first, second]: [number, number]) =>
      prisma.$transaction(async (transaction) => {
        await transaction.$executeRaw`update peers set name = name where id = ${first}`;
        await bothHold();
        await transaction.$executeRaw`update peers set name = name where id = ${second}`;
      });
    const results = await Promise.allSettled([locking([1, 2]), locking([2, 1])]);
    const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    expect(failed).toHaveLength(1);
    expect(classifyFailure(failed[0])).toBe('collision');
    expect(describeFailure(failed[0])).toMatch('40P01');
  });

  test.each(['raw', 'model'])('serialization failure of a %s query', async (way) => {
    const prisma = connect();
    const bothRead = meeting(2);
    const changing = () =>
      prisma.$transaction(
        async (transaction) => {
          await transaction.peer.findMany();
          await bothRead();
          if (way === 'raw') await transaction.$executeRaw`update peers set name = name || '' where id = 1`;
          else await transaction.peer.update({ where: { id: 1 }, data: { name: 'one' } });
        },
        { isolationLevel: 'Serializable' },
      );
    const results = await Promise.allSettled([changing(), changing()]);
    const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    expect(failed).toHaveLength(1);
    expect(classifyFailure(failed[0])).toBe('collision');
    expect(describeFailure(failed[0])).toMatch(/40001|P2034/);
  });

  test('lock timeout, which comes before the statement timeout', async () => {
    const prisma = connect({ statementTimeoutMs: 400 });
    await admin.query('begin; update peers set name = name where id = 1');
    try {
      await expectFailure(
        'collision',
        '55P03',
        prisma.$executeRaw`update peers set name = name where id = ${1}`,
      );
    } finally {
      await admin.query('rollback');
    }
  });

  test('a prepared statement that a migration made obsolete', async () => {
    const { sql } = connectWith({ poolSize: 1 });
    await admin.query('create table grown (a int)');
    const grown = statement('test.grown', 'select * from grown where a = $1');
    const read = () => sql(grown, [1]);
    await read();
    await admin.query('alter table grown add column b int');
    await expectFailure('collision', '0A000', read());
    expect(await read()).toEqual([]);
  });
});

describe('an outage is nothing that a message can help', () => {
  test('nobody listens', async () => {
    const url = urlWith((to) => {
      to.port = '1';
    });
    const says = new RegExp(`^cannot reach the database at ${new URL(url).host}$`);
    await expectFailure('outage', says, connect({ url }).$queryRaw`select 1`);
    await expectFailure('outage', /cannot reach/, connect({ url }).peer.findMany());
    await expectFailure(
      'outage',
      /cannot reach/,
      connect({ url }).$transaction(async () => undefined),
    );
  });

  test('nobody listens at any address of a name', async () => {
    const url = urlWith((to) => {
      to.host = 'localhost:1';
    });
    await expectFailure('outage', /ECONNREFUSED|cannot reach/, connect({ url }).$queryRaw`select 1`);
  });

  test('the host is unknown', async () => {
    const url = urlWith((to) => {
      to.hostname = 'nowhere.invalid';
    });
    await expectFailure('outage', /EAI_AGAIN|cannot reach/, connect({ url }).$queryRaw`select 1`);
  });

  test('wrong password', async () => {
    const url = urlWith((to) => {
      to.password = SECRET;
    });
    await expectFailure('outage', '28P01', connect({ url }).$queryRaw`select 1`);
    await expectFailure('outage', '28P01', connect({ url }).peer.findMany());
  });

  test('no such database', async () => {
    const url = urlWith((to) => {
      to.pathname = '/nothing_of_this_name';
    });
    await expectFailure('outage', '3D000', connect({ url }).$queryRaw`select 1`);
  });

  test('a server without TLS where it is demanded', async () => {
    const url = urlWith((to) => to.searchParams.set('sslmode', 'verify-full'));
    await expectFailure('outage', /no TLS connection.*: .*SSL/, connect({ url }).$queryRaw`select 1`);
  });

  test('a connection that is terminated', async () => {
    const prisma = connect();
    const failure = failureOf(prisma.$queryRaw`select pg_sleep(10)::text`);
    await untilTrue(async () => {
      const { rows } = await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'database test' and query like '%pg_sleep(10)%'`);
      return rows.length > 0;
    });
    expect(classifyFailure(await failure)).toBe('outage');
    expect(describeFailure(await failure)).toMatch(/57P01|terminated/);
    expect(await prisma.$queryRaw`select 1 as one`).toEqual([{ one: 1 }]);
  });

  test('statement timeout', async () => {
    const prisma = connect({ statementTimeoutMs: 100 });
    await expectFailure('outage', '57014', prisma.$queryRaw`select pg_sleep(10)::text`);
  });

  test('no connection free in time', async () => {
    // Time enough to open the one connection on a busy machine, and less than it is held.
    const prisma = connect({ poolSize: 1, connectTimeoutMs: 1000 });
    const held = started(prisma.$queryRaw`select pg_sleep(3)::text`);
    await expectFailure('outage', 'timeout exceeded', prisma.$queryRaw`select 1`);
    await expectFailure(
      'outage',
      'P2028',
      prisma.$transaction(async () => undefined, { maxWait: 50 }),
    );
    await held;
  });

  test.each([
    ['table', 'select * from nothing', '42P01'],
    ['column', 'select nothing from peers', '42703'],
    ['function', 'select nothing(1)', '42883'],
  ])('a %s that the database lacks', async (_what, statement, state) => {
    await expectFailure('outage', state, connect().$queryRawUnsafe(statement));
  });

  test('no privilege', async () => {
    const role = await limitedRole();
    await expectFailure('outage', '42501', connect({ url: role.url }).$queryRaw`select * from peers`);
    await role.drop();
  });

  test('too many connections', async () => {
    const role = await limitedRole('connection limit 0');
    await expectFailure('outage', '53300', connect({ url: role.url }).$queryRaw`select 1`);
    await role.drop();
  });

  test('a limit of the disk', async () => {
    const url = urlWith((to) => to.searchParams.set('options', '-c temp_file_limit=64 -c work_mem=64'));
    const sorting = connect({ url }).$queryRaw`
      select count(*) from (select i::text from generate_series(1, 100000) i order by 1 offset 0) as sorted`;
    await expectFailure('outage', '53400', sorting);
  });

  test('a server that only reads', async () => {
    const url = urlWith((to) => to.searchParams.set('options', '-c default_transaction_read_only=on'));
    await expectFailure('outage', '25006', connect({ url }).$executeRaw`update peers set name = name`);
  });

  test.each(['53100', '57P03', '58030', 'XX002', '08006'])('SQLSTATE %s', async (state) => {
    const raised = `do $$ begin raise exception 'trouble' using errcode = '${state}'; end $$`;
    await expectFailure('outage', state, connect().$executeRawUnsafe(raised));
  });
});

describe('what a message may have caused is isolated', () => {
  test('a number out of range', async () => {
    await expectFailure('message', '22003', connect().$queryRaw`select ${'1e9'}::text::numeric::smallint`);
  });

  test('a text that does not fit its type, of which nothing is told', async () => {
    await expectFailure('message', '22P02', connect().$queryRaw`select ${SECRET}::text::int`);
  });

  test('NUL in a text', async () => {
    await expectFailure('message', '22021', connect().$queryRaw`select ${`${SECRET}\0`}::text`);
  });

  test('a broken constraint, which is named without the row', async () => {
    const prisma = connect();
    await expectFailure(
      'message',
      'users_role_check',
      prisma.user.create({ data: { username: SECRET, passwordHash: SECRET, role: SECRET } }),
    );
    await expectFailure(
      'message',
      'peers_pkey',
      prisma.$executeRaw`insert into peers (id, name) values (1, ${SECRET})`,
    );
  });

  test('what a trigger of somebody else raises, in its own words, without a password or anything that a terminal obeys', async () => {
    const raise = (words: string) =>
      connect().$executeRawUnsafe(`do $$ begin raise exception e'${words}'; end $$`);
    await expectFailure('message', /^boom: 7 \(SQLSTATE P0001\)$/, raise('boom:\\n 7'));
    await expectFailure(
      'message',
      /^see http:\/\/me:\*{3}@host \(SQLSTATE P0001\)$/,
      raise(`see http://me:${SECRET}@host`),
    );
    await expectFailure('message', /^red\\u001b\[0m \(SQLSTATE P0001\)$/, raise('red\\x1b[0m'));
    await expectFailure('message', /^x{199}… \(SQLSTATE P0001\)$/, raise('x'.repeat(500)));
  });

  test('wrong arguments to Prisma', async () => {
    const data = { id: SECRET, name: 'x' } as unknown as { id: number };
    await expectFailure('message', 'PrismaClientValidationError', connect().peer.create({ data }));
  });

  test('an error of our own, told by its place', async () => {
    const broken = Promise.resolve().then(() => JSON.parse(SECRET));
    await expectFailure('message', /^SyntaxError at .*database\.test\.ts/, broken);
    await expectFailure('message', 'string', Promise.reject(SECRET));
  });
});

test('terms that no longer hold are a collision', async () => {
  const asserted = connect().$queryRaw`select settle_assert(false, 'a tax changed')`;
  await expectFailure('collision', /^a tax changed \(SQLSTATE CDR01\)$/, asserted);
});

describe('openDatabase', () => {
  test.each([
    ['no URL', 'somewhere'],
    ['another protocol', `mysql://u:${SECRET}@host/db`],
    ['a stray %', `postgresql://u:${SECRET}%zz@host/db`],
    ['another schema', `postgresql://u:${SECRET}@host/db?schema=billing`],
  ])('refuses %s without showing the password', (_what, url) => {
    const opening = () => connect({ url });
    expect(opening).toThrow(DatabaseUrlError);
    expect(opening).not.toThrow(SECRET);
  });

  test('sets up every session, and leaves the options of the URL in force', async () => {
    const url = urlWith((to) => to.searchParams.set('options', '-c work_mem=7MB'));
    await admin
      .query(`alter database "${new URL(url).pathname.slice(1)}" set timezone = 'Asia/Tokyo'`)
      .catch(() => {
        // A server without time zone files has no other zone to be set to.
      });
    const [row] = await connect({ url, statementTimeoutMs: 9000 }).$queryRaw<Record<string, string>[]>`
      select current_setting('work_mem') as work_mem, current_setting('TimeZone') as zone,
        current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
        current_setting('idle_in_transaction_session_timeout') as idle,
        current_setting('application_name') as name`;
    expect(row).toEqual({
      work_mem: '7MB',
      zone: 'GMT',
      statement: '9s',
      lock: '4500ms',
      idle: '9s',
      name: 'database test',
    });
  });

  test('prepares a statement once under its name, and nothing else', async () => {
    const { sql, prisma } = connectWith({ poolSize: 1 });
    const prepared = async () =>
      (await prisma.$queryRawUnsafe<{ name: string }[]>('select name from pg_prepared_statements')).map(
        ({ name }) => name,
      );
    const named = statement('test.number', 'select $1::int as number');
    for (let round = 0; round < 5; round += 1) await sql(named, [round]);
    expect(await prepared()).toEqual(['test.number']);
    for (let text = 0; text < 120; text += 1) {
      await prisma.$queryRawUnsafe(`select $1::int as a${text}`, text);
      await sql(unprepared('test.filter', `select $1::int as b${text}`), [text]);
    }
    expect(await prepared()).toEqual(['test.number']);
  });

  test('tells how long each statement took, those of transactions and those that failed included', async () => {
    const took: [string, number][] = [];
    const { sql, transaction } = connectWith({ onStatement: (name, ms) => took.push([name, ms]) });
    const sleep = unprepared('test.sleep', 'select pg_sleep(0.05)::text');
    const fail = unprepared('test.fail', 'select 1 / 0 as nothing');
    await sql(sleep, []);
    await transaction((within) => within(sleep, []), { timeoutMs: 2000 });
    await failureOf(sql(fail, []));
    expect(took.map(([name]) => name)).toEqual(['test.sleep', 'test.sleep', 'test.fail']);
    for (const [, ms] of took.slice(0, 2)) expect(ms).toBeGreaterThanOrEqual(50);
  });

  test('close waits for what is under way', async () => {
    const prisma = connect();
    const waiting = started(prisma.$queryRaw`select pg_sleep(0.3)::text, 1 as one`);
    await prisma.$queryRaw`select 1`;
    await open.pop()?.close(5000);
    expect(await waiting).toMatchObject([{ one: 1 }]);
  });

  test('close cuts what takes too long', async () => {
    const prisma = connect();
    const failure = failureOf(prisma.$queryRaw`select pg_sleep(20)::text`);
    await prisma.$queryRaw`select 1`;
    const started = performance.now();
    await open.pop()?.close(100);
    expect(classifyFailure(await failure)).toBe('outage');
    expect(performance.now() - started).toBeLessThan(3000);
  });
});

describe('databaseReachable', () => {
  test('is true where the database takes writes', async () => {
    expect(await databaseReachable(connectWith().sql, 2000)).toBe(true);
  });

  test('is false where it only reads, where nobody listens, and where it is late', async () => {
    const readOnly = urlWith((to) => to.searchParams.set('options', '-c default_transaction_read_only=on'));
    const nobody = urlWith((to) => {
      to.port = '1';
    });
    expect(await databaseReachable(connectWith({ url: readOnly }).sql, 2000)).toBe(false);
    expect(await databaseReachable(connectWith({ url: nobody }).sql, 2000)).toBe(false);
    const busy = connectWith({ poolSize: 1 });
    const held = started(busy.prisma.$queryRaw`select pg_sleep(0.5)::text`);
    expect(await databaseReachable(busy.sql, 50)).toBe(false);
    await held;
  });
});

async function limitedRole(options = '') {
  const name = `limited_${Math.random().toString(36).slice(2, 10)}`;
  await admin.query(`create role ${name} login password 'limited' ${options}`);
  const url = urlWith((to) => {
    to.username = name;
    to.password = 'limited';
  });
  const drop = async () => {
    await Promise.all(open.splice(0).map(({ close }) => close(1000)));
    await admin.query(`drop role ${name}`);
  };
  return { url, drop };
}

/** Resolves for everybody when as many as that have come. */
function meeting(size: number): () => Promise<void> {
  let arrive: () => void = () => undefined;
  const everybody = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  let here = 0;
  return () => {
    here += 1;
    if (here === size) arrive();
    return everybody;
  };
}

async function untilTrue(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('it did not come true');
  }
}
