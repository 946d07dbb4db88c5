import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { managementRequest } from '../../dev/stack/ready.ts';
import type { Isolated } from '../../dev/stack.ts';
import { openConnection } from '../../src/broker/connect.ts';
import { billedHealth } from '../../src/broker/health/billed.ts';
import { readManaged } from '../../src/broker/health/managed.ts';
import { openManagement } from '../../src/broker/health/management.ts';
import { policiesHealth } from '../../src/broker/health/policies.ts';
import { readRouting } from '../../src/broker/health/routing.ts';
import { defaultNames } from '../../src/broker/topology.ts';
import { migrate } from '../../src/store/migrate.ts';
import { type Outsider, outsider, until } from '../support/broker.ts';
import { brokerUser, documentedPermissions } from '../support/broker-users.ts';
import { runInProcess } from '../support/in-process.ts';
import { testServices, testStack } from '../support/stack.ts';

interface Check {
  check: string;
  state: 'ok' | 'warning' | 'failed' | 'unknown';
  detail: string;
}

const LEAST = documentedPermissions('worker');

const DIRECT_FEED = `sw:
  exchange: cdrs.from.sw
  type: direct
  keys: [a, b]
  as: sw
  machines: [m]
  format: form
  call:
    uniqueid: id
    machine: { constant: m }
    start: { from: at, time: s }
    scustomer: customer
`;

let services: Isolated;
let managementUrl: string;
let vhost: string;
let other: Outsider;

beforeAll(async () => {
  services = await testServices('doctor');
  managementUrl = (await testStack()).managementUrl ?? '';
  vhost = new URL(services.amqpUrl).pathname.slice(1);
  other = await outsider(services.amqpUrl);
});
afterAll(async () => {
  await other?.close();
  await services?.drop();
});

const environment = () => ({
  DATABASE_URL: services.databaseUrl,
  AMQP_URL: services.amqpUrl,
  AMQP_MANAGEMENT_URL: managementUrl,
});

async function run(args: string[], changed: Record<string, string> = {}) {
  const { code, stdout, stderr } = await runInProcess(args, { ...environment(), ...changed });
  return { code, output: `${stdout}${stderr}` };
}

/** The checks that are not `ok`, and the exit code. */
async function examine(changed: Record<string, string> = {}, ...options: string[]) {
  const { code, output } = await run(['doctor', '--json', ...options], changed);
  const checks = JSON.parse(output) as Check[];
  const of = (name: string) => checks.find(({ check }) => check === name);
  return {
    code,
    checks,
    of,
    failed: checks.filter(({ state }) => state === 'failed').map(({ check }) => check),
  };
}

async function onDatabase(...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: services.databaseUrl });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

describe('doctor', () => {
  it('finds what is missing before anything has been set up', async () => {
    const { code, failed, of } = await examine();
    expect(code).toBe(1);
    expect(failed).toEqual(['topology', 'bindings', 'lag', 'lag', 'schema']);
    for (const name of ['topology', 'bindings', 'lag'])
      expect(of(name)?.detail.toLowerCase()).toContain('run "cdr-ingest topology"');
    expect(of('schema')?.detail).toContain('run "cdr-ingest migrate"');
    expect(of('topology')?.detail).toContain('queue "cdrs.create" does not exist');
  });

  it('finds nothing wrong after migrate and topology: one line each, code 0, and 1 with --strict for what is only a warning', async () => {
    await migrate(services.databaseUrl);
    expect(await run(['topology'])).toMatchObject({ code: 0 });
    const { code, output } = await run(['doctor']);
    expect({ code, output }).toMatchObject({ code: 0 });
    const lines = output.trimEnd().split('\n');
    const names = [
      ...[
        'broker',
        'nodes',
        'alarms',
        'topology',
        'permissions',
        'bindings',
        'policies',
        'quorum',
        'lag',
        'lag',
      ],
      ...[
        'database',
        'session',
        'clock',
        'replication',
        'sessions',
        'schema',
        'rights',
        'tables',
        'users',
        'billing',
      ],
    ];
    // Nobody takes calls yet, and nobody may send any.
    const early = ['lag', 'users'];
    expect(lines.map((line) => line.split(/ +/).slice(0, 2))).toEqual(
      names.map((name) => [early.includes(name) ? 'warning' : 'ok', name]),
    );
    expect(output).toContain('cdrs.create: 0 waiting, 0 consumers: no worker is running');
    expect(output).toContain('1 member of each queue online, 1 node (cannot survive a node failure');
    expect(output).not.toContain(new URL(services.databaseUrl).password);
    expect(output).not.toContain(new URL(services.amqpUrl).password);
    expect(await run(['doctor', '--strict'])).toMatchObject({ code: 1 });
  });

  it('finds what would keep calls off invoices or have them refused in the tables of the billing system', async () => {
    await onDatabase(
      `insert into invoices (id, customer, currency, period_start, period_end, status)
         values (1, 1, 'USD', now(), now(), 'draft'), (2, 1, 'USD', now(), now(), 'paid')`,
      `insert into currencies (code, rate) values ('EUR', 0.9)`,
      `insert into customers (id, currency) values (3, 'USD'), (4, 'EUY')`,
      `insert into taxes (id, name, currency) values (1, 'a', 'EUR'), (2, 'b', 'EUX'), (3, 'c', null), (4, 'd', 'USD')`,
    );
    const { code, failed, of } = await examine();
    expect({ code, failed }).toEqual({ code: 1, failed: ['billing'] });
    expect(of('billing')?.detail).toBe(
      'no invoice has the status open (OPEN_INVOICE_STATUSES), there are: draft, paid: no call goes on one; ' +
        'calls with these taxes are refused, because the currency has no exchange rate: 2; ' +
        'calls of these customers are refused, because the currency has no exchange rate: 4',
    );
    const draft = await examine({ OPEN_INVOICE_STATUSES: 'open,draft' });
    expect(draft.of('billing')?.detail).toMatch(/^calls with these taxes/);
    await onDatabase(
      ...['invoices', 'taxes', 'customers', 'currencies'].map((table) => `delete from ${table}`),
    );
  });

  it('finds a binding that is gone, which AMQP cannot see', async () => {
    await other.channel.unbindQueue('cdrs.results', 'cdrs.results', 'cdrs.result.#');
    const { code, failed, of } = await examine();
    expect({ code, failed }).toEqual({ code: 1, failed: ['bindings'] });
    expect(of('bindings')?.detail).toBe(
      'cdrs.results is not bound to cdrs.results by cdrs.result.#. Run "cdr-ingest topology"',
    );
    await other.channel.bindQueue('cdrs.results', 'cdrs.results', 'cdrs.result.#');
  });

  it('finds an exchange cdrs that is not bound, and would drop what it confirms', async () => {
    await other.channel.unbindExchange('cdrs.intake', 'cdrs', '#');
    const { failed, of } = await examine();
    expect(failed).toEqual(['bindings']);
    expect(of('bindings')?.detail).toBe(
      'cdrs is not bound to cdrs.intake by #: calls that the broker confirms are dropped there. Run "cdr-ingest topology"',
    );
    expect(await run(['topology', '--check'])).toMatchObject({ code: 1 });
    expect(await run(['topology'])).toMatchObject({ code: 0 });
    expect(await run(['topology', '--check'])).toMatchObject({ code: 0 });
  });

  it('accepts an operator who has cdrs bound to the queue itself, and its alternate exchange by policy', async () => {
    const path = `policies/${vhost}/own-way`;
    await other.channel.deleteExchange('cdrs.intake');
    for (const key of ['cdrs.create.#', 'cdrs.update.#', 'cdrs.void.#'])
      await other.channel.bindQueue('cdrs.create', 'cdrs', key);
    expect((await examine()).failed).toEqual(['topology', 'bindings']);
    const definition = { 'alternate-exchange': 'cdrs.dead' };
    await managementRequest(managementUrl, 'PUT', path, { pattern: '^cdrs$', definition, 'apply-to': 'all' });
    const { code, of } = await examine();
    expect({ code, state: of('bindings')?.state }).toEqual({ code: 0, state: 'ok' });
    expect(of('topology')?.detail).toContain('exchange "cdrs.intake": not there, but calls get to the queue');
    expect(await run(['topology', '--check'])).toMatchObject({ code: 0 });
    await managementRequest(managementUrl, 'DELETE', path);
    expect(await run(['topology'])).toMatchObject({ code: 0 });
  });

  it('names the command that replaces an exchange cdrs of the form before', async () => {
    await other.channel.deleteExchange('cdrs');
    const old = { arguments: { 'alternate-exchange': 'cdrs.dead' } };
    await other.channel.assertExchange('cdrs', 'topic', old);
    await other.channel.bindQueue('cdrs.create', 'cdrs', 'cdrs.create.#');
    const { code, failed, of } = await examine();
    // It takes calls to the queue, and no corrections.
    expect({ code, failed }).toEqual({ code: 1, failed: ['topology', 'bindings'] });
    expect(of('topology')?.detail).toMatch(/Replace it with "cdr-ingest topology --migrate"$/);
    expect(await run(['topology'])).toMatchObject({ code: 1 });
    expect(await run(['topology', '--migrate'])).toMatchObject({ code: 0 });
  });

  it('checks the exchanges of feeds, and says what a direct one drops', async () => {
    const directory = mkdtempSync(`${tmpdir()}/doctor-`);
    const sources = { SOURCES_FILE: `${directory}/sources.yaml` };
    writeFileSync(sources.SOURCES_FILE, DIRECT_FEED);
    const before = await examine(sources);
    expect(before.failed).toEqual(['topology', 'bindings']);
    expect(before.of('bindings')?.detail).toContain('cdrs.from.sw is not bound to cdrs.create by b');
    expect(await run(['topology'], sources)).toMatchObject({ code: 0 });
    const after = await examine(sources);
    expect(after.code).toBe(0);
    expect(after.of('bindings')?.detail).toContain(
      'the direct exchange cdrs.from.sw drops every routing key but a, b',
    );
    rmSync(directory, { recursive: true });
  });

  it('checks the exchange of billed calls: that it is there, and a queue bound for calls and corrections', async () => {
    const opened = await openConnection({
      url: services.amqpUrl,
      name: 'doctor test',
      heartbeatSeconds: 10,
      connectTimeoutMs: 10_000,
    });
    if (opened.kind === 'failed') throw new Error(opened.problem);
    const { connection } = opened;
    const management = openManagement(managementUrl, undefined);
    const health = async () =>
      await billedHealth(connection, 'rating.billed', await readRouting(management, vhost));
    expect(await health()).toMatchObject({ state: 'failed', detail: expect.stringContaining('no exchange') });
    await other.channel.assertExchange('rating.billed', 'topic');
    await other.channel.assertQueue('rating.calls');
    await other.channel.bindQueue('rating.calls', 'rating.billed', 'cdrs.billed.call');
    const { failed, of } = await examine({ BILLED_EXCHANGE: 'rating.billed' });
    expect(failed).toEqual(['billed']);
    expect(of('billed')?.detail).toContain('no queue bound for cdrs.billed.correction; calls are held');
    await other.channel.bindQueue('rating.calls', 'rating.billed', '#');
    expect(await health()).toMatchObject({ state: 'ok' });
    expect(
      await billedHealth(connection, 'rating.billed', { kind: 'unmanaged', why: 'none here' }),
    ).toMatchObject({ state: 'unknown' });
    await other.channel.deleteExchange('rating.billed');
    await connection.close();
  });

  it('finds calls that wait while nobody consumes', async () => {
    await other.fill('cdrs.create', 3);
    const { code, failed, of } = await examine();
    expect({ code, failed }).toEqual({ code: 1, failed: ['lag'] });
    expect(of('lag')?.detail).toBe(
      'cdrs.create: 3 waiting, 0 consumers: no worker is running (start "cdr-ingest worker")',
    );
    await other.channel.purgeQueue('cdrs.create');
  });

  it('finds a queue whose arguments are not those that are set', async () => {
    const { failed, of } = await examine({ DELIVERY_LIMIT: '7' });
    expect(failed).toEqual(['topology']);
    expect(of('topology')?.detail).toContain('x-delivery-limit=7');
  });

  it('finds a clock that is off', async () => {
    const now = Date.now;
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() - 60_000);
    const { code, failed, of } = await examine();
    clock.mockRestore();
    expect({ code, failed }).toEqual({ code: 1, failed: ['clock'] });
    expect(of('clock')?.detail).toMatch(/^the database's clock is (59|60)\d{3} ms ahead of this one/);
  });

  it('says of what only the management API knows that it was skipped, why, and what to set; with --strict that fails', async () => {
    const remedy =
      '; set AMQP_MANAGEMENT_URL to where it can be reached, with a user that has the tag "monitoring"';
    const nowhere = await examine({ AMQP_MANAGEMENT_URL: 'http://127.0.0.1:9' });
    expect(nowhere.code).toBe(0);
    for (const name of ['nodes', 'bindings', 'policies', 'quorum']) {
      expect(nowhere.of(name)?.state).toBe('unknown');
      expect(nowhere.of(name)?.detail).toMatch(/^skipped: no management API: http:\/\/127\.0\.0\.1:9: /);
      expect(nowhere.of(name)?.detail).toContain(remedy);
    }
    expect(nowhere.of('alarms')?.state).toBe('ok');
    const user = await brokerUser(services.amqpUrl, LEAST);
    const blind = await examine({ AMQP_URL: user.amqpUrl, AMQP_MANAGEMENT_URL: 'http://127.0.0.1:9' });
    await user.drop();
    expect(blind.of('topology')).toMatchObject({ state: 'unknown' });
    expect(blind.of('topology')?.detail).toMatch(
      /exist; skipped: their arguments, .* may not check; no management API/,
    );
    const { origin, host } = new URL(managementUrl);
    const stranger = { AMQP_MANAGEMENT_URL: `http://nobody:secret-word@${host}` };
    const { code, of } = await examine(stranger);
    expect(code).toBe(0);
    expect(of('policies')?.detail).toBe(
      `skipped: no management API: ${origin}: this user may not see it (give it the tag "monitoring")${remedy}`,
    );
    expect((await examine(stranger, '--strict')).code).toBe(1);
  });

  it.each(['{}', '[{"name":1}]', 'null', '"sign in"'])(
    'takes the answer %s of something that is not RabbitMQ for no answer',
    async (body) => {
      const server = createServer((_, response) => response.end(body)).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const { code, of } = await examine({ AMQP_MANAGEMENT_URL: `http://127.0.0.1:${port}` });
      server.close();
      expect({ code, state: of('policies')?.state }).toEqual({ code: 0, state: 'unknown' });
      expect(of('bindings')?.state).toBe('unknown');
      expect(of('quorum')?.state).toBe('unknown');
    },
  );

  it('says how many calls wait, and that nobody knows for how long without the management API', async () => {
    await other.fill('cdrs.create', 1002);
    await other.apart(async (channel) => {
      // Takes one, so that somebody consumes and a thousand wait.
      await channel.prefetch(1);
      await channel.consume('cdrs.create', () => {});
      const { code, of } = await examine({ AMQP_MANAGEMENT_URL: 'http://127.0.0.1:9' });
      expect({ code, state: of('lag')?.state }).toEqual({ code: 0, state: 'unknown' });
    });
    await until(async () => (await other.depth('cdrs.create')) === 1002);
    await other.channel.purgeQueue('cdrs.create');
  });

  it('goes on with the rest when a server cannot be reached', async () => {
    const { code, failed, of } = await examine({
      DATABASE_URL: 'postgresql://cdr:secret-word@127.0.0.1:9/cdr',
      AMQP_URL: `${services.amqpUrl},amqp://cdr:secret-word@127.0.0.1:9/v`,
    });
    expect({ code, failed }).toEqual({ code: 1, failed: ['broker', 'database'] });
    expect(of('schema')?.state).toBe('unknown');
    expect(of('topology')?.state).toBe('ok');
  });

  it('finds a database that a later version has migrated, which is no failure', async () => {
    const insert = `insert into _prisma_migrations (id, checksum, migration_name, started_at, finished_at)
      values ('later', '', '29990101000000_later', now(), now())`;
    const client = new Client({ connectionString: services.databaseUrl });
    await client.connect();
    await client.query(insert);
    const { code, of } = await examine();
    expect({ code, state: of('schema')?.state }).toEqual({ code: 0, state: 'ok' });
    expect(of('schema')?.detail).toContain('29990101000000_later of a later version');
    await client.query(`delete from _prisma_migrations where id = 'later'`);
    await client.end();
  });

  it.each([
    ['to the queues of senders', { write: '^cdrs\\.results$' }, 'no write permission on amq.default'],
    ['to cdrs.results', { write: '^amq\\.default$' }, 'no write permission on cdrs.results'],
    ['anywhere', { write: '^$' }, 'no write permission on amq.default and cdrs.results'],
  ])('finds a user that may not write %s', async (_, lacking, expected) => {
    const user = await brokerUser(services.amqpUrl, { ...LEAST, ...lacking });
    const { code, failed, of } = await examine({ AMQP_URL: user.amqpUrl });
    await user.drop();
    expect({ code, failed }).toEqual({ code: 1, failed: ['permissions'] });
    expect(of('permissions')?.detail).toContain(`${expected}: rabbitmqctl set_permissions`);
  });

  it('finds a user that may not read a queue, and takes nothing out of it', async () => {
    await other.fill('cdrs.dead', 1);
    const user = await brokerUser(services.amqpUrl, { ...LEAST, read: '^cdrs\\.create$' });
    const { failed, of } = await examine({ AMQP_URL: user.amqpUrl });
    await user.drop();
    expect(failed).toEqual(['permissions', 'lag']);
    expect(of('permissions')?.detail).toContain('no read permission on cdrs.dead');
    const message = await other.apart((channel) => channel.get('cdrs.dead', { noAck: true }));
    expect(message ? message.fields.redelivered : null).toBe(false);
  });

  it('finds nothing wrong with the least permissions that docs/operations.md gives', async () => {
    const user = await brokerUser(services.amqpUrl, LEAST);
    const { code, of } = await examine({ AMQP_URL: user.amqpUrl });
    await user.drop();
    expect({ code, state: of('permissions')?.state }).toEqual({ code: 0, state: 'ok' });
    expect(await other.depth('cdrs.results')).toBe(0);
  });

  // Last of all: the management API forgets a policy as late as it learns of one. So each round has one for each queue.
  it.each([
    [
      [
        ['cdrs.create', { 'message-ttl': 60_000 }, 'cdrs.create has message-ttl 60000, which loses calls'],
        ['cdrs.dead', { 'delivery-limit': 5 }, 'cdrs.dead has delivery-limit 5, after which calls are lost'],
        ['cdrs.results', { 'message-ttl': 1000 }, 'cdrs.results has message-ttl 1000, which loses replies'],
      ],
    ],
    [
      [
        ['cdrs.create', { 'delivery-limit': 0 }, 'cdrs.create has no delivery-limit'],
        ['cdrs.dead', { 'max-length': 10 }, 'cdrs.dead drops messages when it is full'],
      ],
    ],
    [
      [
        [
          'cdrs.create',
          { 'delivery-limit': 3 },
          'cdrs.create has delivery-limit 3, but was declared with 20',
        ],
        [
          'cdrs.dead',
          { 'dead-letter-exchange': 'amq.topic' },
          'cdrs.dead has dead-letter-exchange amq.topic, which loses calls',
        ],
      ],
    ],
  ] as [string, object, string][][][])('finds policies that contradict the topology: %j', async (round) => {
    const paths = round.map(([queue, definition]) => {
      const isOperators = 'max-length' in definition || 'message-ttl' in definition;
      return `${isOperators ? 'operator-policies' : 'policies'}/${vhost}/harmful-${queue}`;
    });
    for (const [index, [queue, definition]] of round.entries()) {
      const policy = { pattern: `^${queue.replace('.', '\\.')}$`, definition, 'apply-to': 'queues' };
      await managementRequest(managementUrl, 'PUT', paths[index] ?? '', policy);
    }
    // With its next statistics, some seconds later.
    const management = openManagement(managementUrl, undefined);
    const found = async () =>
      policiesHealth(await readManaged(management, vhost, defaultNames), defaultNames);
    await until(async () => {
      const { detail } = await found();
      return round.every(([, , expected]) => detail.includes(expected));
    });
    const { state, detail } = await found();
    expect(state).toBe('failed');
    expect(detail).toContain('Fix or clear one of the policies harmful');
    for (const path of paths) await managementRequest(managementUrl, 'DELETE', path);
  });
});
