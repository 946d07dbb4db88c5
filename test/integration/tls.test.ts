import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../dev/stack/ports.ts';
import { type PostgresServer, type RabbitServer, startPostgres, startRabbit } from '../../dev/stack.ts';
import { connectionConfig } from '../../src/store/connection.ts';
import { openPool } from '../../src/store/pool.ts';
import { outsider, until } from '../support/broker.ts';
import { type CertificateFiles, pem, testAuthority } from '../support/certificates.ts';
import { runInProcess } from '../support/in-process.ts';
import { startProcess } from '../support/worker.ts';

const authority = testAuthority('cdr-ingest tests');
const stranger = testAuthority('somebody else');
const server = authority.issue('server', ['DNS:localhost', 'IP:127.0.0.1']);
const client = authority.issue('cdr');
const foreign = stranger.issue('cdr');

let postgres: PostgresServer;
let rabbitmq: RabbitServer;
let databaseUrl: string;
let amqpUrl: string;

beforeAll(async () => {
  // Without TLS only, and only to the database `postgres`, which is how the stack sees that the server is up.
  const hba = join(dirname(server.cert), 'pg_hba.conf');
  writeFileSync(
    hba,
    `hostnossl postgres all 127.0.0.0/8 scram-sha-256
     hostssl postgres all 127.0.0.0/8 reject
     hostssl all all 127.0.0.0/8 scram-sha-256 clientcert=verify-full\n`,
  );
  const port = await freePort();
  [postgres, rabbitmq] = await Promise.all([
    startPostgres({
      settings: {
        listen_addresses: '127.0.0.1,127.0.0.2',
        hba_file: hba,
        ssl: 'on',
        ssl_cert_file: server.cert,
        ssl_key_file: server.key,
        ssl_ca_file: authority.ca,
      },
    }),
    startRabbit({
      config: [
        `listeners.ssl.1 = 127.0.0.1:${port}`,
        `listeners.ssl.2 = 127.0.0.2:${port}`,
        `ssl_options.cacertfile = ${authority.ca}`,
        `ssl_options.certfile = ${server.cert}`,
        `ssl_options.keyfile = ${server.key}`,
        'ssl_options.verify = verify_peer',
        'ssl_options.fail_if_no_peer_cert = true',
      ],
    }),
  ]);
  const admin = new Client({ connectionString: postgres.url });
  await admin.connect();
  await admin.query('create database cdr_tls');
  await admin.end();
  databaseUrl = postgres.url.replace('/postgres', '/cdr_tls').replace('127.0.0.1', 'localhost');
  amqpUrl = rabbitmq.url.replace('amqp:', 'amqps:').replace(/127\.0\.0\.1:\d+/, `localhost:${port}`);
});
afterAll(async () => {
  await Promise.all([postgres?.remove(), rabbitmq?.remove()]);
  authority.remove();
  stranger.remove();
});

/** Waits until so many messages are in the input queue. */
async function untilDepth(messages: number): Promise<void> {
  const other = await outsider(rabbitmq.url);
  await until(async () => (await other.depth('cdrs.create')) === messages);
  await other.close();
}

type Side = 'DATABASE' | 'AMQP';

const certificates = (side: Side, ca: string, { cert, key }: CertificateFiles) => ({
  [`${side}_TLS_CA_FILE`]: ca,
  [`${side}_TLS_CERT_FILE`]: cert,
  [`${side}_TLS_KEY_FILE`]: key,
});

const database = () => ({
  DATABASE_URL: `${databaseUrl}?sslmode=verify-full`,
  ...certificates('DATABASE', authority.ca, client),
});
const broker = () => ({ AMQP_URL: amqpUrl, ...certificates('AMQP', authority.ca, client) });

type Environment = Record<string, string>;

async function run(args: string[], environment: Environment, input = '') {
  if (args[0] === 'migrate') return await runAlone(args, environment, input);
  const { code, stdout, stderr } = await runInProcess(args, environment, input);
  return { code, output: `${stdout}${stderr}` };
}

/** In a process of its own, as it ships, and with what it finds in its environment when it starts. */
async function runAlone(args: string[], environment: Environment, input = '') {
  const command = await startProcess(args, environment);
  command.child.stdin?.end(input);
  return { code: await command.ended, output: command.output() };
}

/** The one line that a command ends with; it must hold neither password nor key. */
function refusal({ code, output }: Awaited<ReturnType<typeof run>>): { code: number | null; line: string } {
  for (const secret of [new URL(databaseUrl).password, new URL(amqpUrl).password, 'PRIVATE KEY'])
    expect(output).not.toContain(secret);
  expect(output.trimEnd()).not.toContain('\n');
  return { code, line: output.trimEnd() };
}

describe('over TLS with an authority and client certificates of our own', () => {
  it('every command reaches its servers, and the worker stores a call', async () => {
    expect(await runAlone(['migrate'], database())).toMatchObject({ code: 0 });
    const user = await runAlone(['user', 'add', 'switch', '--role', 'system'], database(), 'correct horse\n');
    expect(user).toMatchObject({ code: 0 });
    expect(await runAlone(['topology'], broker())).toMatchObject({ code: 0 });
    const worker = await startProcess(['worker'], { ...database(), ...broker(), HTTP_PORT: '0' });
    await worker.logged('"state":"consuming"');
    const call = { uniqueid: 'tls.1', machine: 'm', start: 1, scustomer: 1 };
    const publish = await runAlone(
      ['publish', '-', '--json'],
      { ...broker(), CDR_USERNAME: 'switch', CDR_PASSWORD: 'correct horse' },
      JSON.stringify(call),
    );
    // The customer is unknown: what matters is that the answer came all the way from the database.
    expect(publish).toMatchObject({ code: 1, output: expect.stringContaining('"key": "scustomer"') });
    expect(await worker.stop()).toBe(0);
    expect(await runAlone(['reconcile'], database())).toMatchObject({ code: 0 });
    const operator = { CDR_USERNAME: 'operator', CDR_PASSWORD: 'correct horse' };
    await runAlone(['user', 'add', 'operator', '--role', 'operator'], database(), 'correct horse\n');
    expect(await runAlone(['dead', 'list'], database())).toMatchObject({ code: 0 });
    // Nobody consumes any more: that the replay is sent is all that can be seen.
    const replay = await startProcess(['dead', 'replay', '--all', '--limit', '1'], {
      ...database(),
      ...broker(),
      ...operator,
    });
    await untilDepth(1);
    replay.child.kill('SIGKILL');
    expect(await runAlone(['doctor'], { ...database(), ...broker() })).toMatchObject({
      output: expect.stringMatching(
        /^ok +broker.*^ok +certificates +the broker's certificate expires in 1 days.*the authority.*the own certificate.*^ok +database .*^ok +certificates +the database's certificate expires in 1 days/ms,
      ),
    });
    expect(worker.output()).not.toContain('PRIVATE KEY');
  });

  it('a database connection stays while its statements are answered, and is cut when one is not', async () => {
    const config = connectionConfig({
      url: `${databaseUrl}?sslmode=verify-full`,
      tls: { ca: pem(authority.ca), cert: pem(client.cert), key: pem(client.key) },
      applicationName: 'tls',
      connectTimeoutMs: 10_000,
      poolSize: 1,
      statementTimeoutMs: 60_000,
      lockTimeoutMs: 0,
    });
    const { pool } = openPool({ ...config, query_timeout: 500 }, () => undefined);
    const backends = new Set<unknown>();
    for (let statements = 0; statements < 4; statements += 1) {
      const { rows } = await pool.query('select pg_backend_pid() as pid, pg_sleep(0.3)');
      backends.add(rows[0].pid);
    }
    expect(backends.size).toBe(1);
    await expect(pool.query('select pg_sleep(60)')).rejects.toThrow('no answer within 500 ms');
    await pool.end();
  });

  it('takes certificates that stand in the variables themselves', async () => {
    const environment = {
      DATABASE_URL: databaseUrl,
      DATABASE_TLS_CA: pem(authority.ca),
      DATABASE_TLS_CERT: pem(client.cert),
      DATABASE_TLS_KEY: pem(client.key),
    };
    expect(await run(['migrate'], environment)).toMatchObject({ code: 0 });
  });

  it('an address is checked against the addresses of the certificate', async () => {
    const environment = { ...database(), DATABASE_URL: databaseUrl.replace('localhost', '127.0.0.1') };
    expect(await run(['migrate'], environment)).toMatchObject({ code: 0 });
    const there = { ...broker(), AMQP_URL: amqpUrl.replace('localhost', '127.0.0.1') };
    expect(await run(['topology', '--check'], there)).toMatchObject({ code: 0 });
  });
});

describe('a database that cannot be trusted, or does not trust us, is refused in one line', () => {
  it.each([
    ['another authority', () => ({ DATABASE_TLS_CA_FILE: stranger.ca }), /certificate/],
    ['the authorities of the system', () => ({ DATABASE_TLS_CA_FILE: '' }), /certificate/],
    [
      'no client certificate',
      () => ({ DATABASE_TLS_CERT_FILE: '', DATABASE_TLS_KEY_FILE: '' }),
      /certificate/,
    ],
    ['a certificate of another authority', () => certificates('DATABASE', authority.ca, foreign), /./],
    [
      'no TLS',
      () => ({ ...certificates('DATABASE', '', { cert: '', key: '' }), DATABASE_URL: databaseUrl }),
      /pg_hba/,
    ],
  ])('%s', async (_, change, expected) => {
    const { code, line } = refusal(await run(['migrate'], { ...database(), ...change() }));
    expect(code).toBe(1);
    expect(line).toMatch(expected);
  });

  it('a name that is not in the certificate, unless sslmode=verify-ca asks for the chain alone', async () => {
    const elsewhere = databaseUrl.replace('localhost', '127.0.0.2');
    const refused = refusal(await run(['migrate'], { ...database(), DATABASE_URL: elsewhere }));
    expect(refused).toMatchObject({ code: 1, line: expect.stringContaining('127.0.0.2 is not in the cert') });
    const trusting = { ...database(), DATABASE_URL: `${elsewhere}?sslmode=verify-ca` };
    expect(await run(['migrate'], trusting)).toMatchObject({ code: 0 });
  });
});

describe('a broker that cannot be trusted, or does not trust us, is refused in one line', () => {
  it.each([
    ['another authority', () => ({ AMQP_TLS_CA_FILE: stranger.ca }), /no TLS connection: .*certificate/],
    ['the authorities of the system', () => ({ AMQP_TLS_CA_FILE: '' }), /no TLS connection: .*certificate/],
    [
      'a name that it does not have',
      () => ({ AMQP_URL: amqpUrl.replace('localhost', '127.0.0.2') }),
      /127\.0\.0\.2 is not in the cert/,
    ],
    ['no client certificate', () => ({ AMQP_TLS_CERT_FILE: '', AMQP_TLS_KEY_FILE: '' }), /./],
    ['a certificate of another authority', () => certificates('AMQP', authority.ca, foreign), /./],
  ])('%s', async (_, change, expected) => {
    const { code, line } = refusal(await run(['topology', '--check'], { ...broker(), ...change() }));
    expect(code).toBe(1);
    expect(line).toContain('amqps://cdr:***@');
    expect(line).toMatch(expected);
  });

  it('a worker says so in its log and goes on trying', async () => {
    const environment = { ...database(), ...broker(), AMQP_TLS_CA_FILE: stranger.ca, HTTP_PORT: '0' };
    const worker = await startProcess(['worker'], environment);
    await worker.logged('no TLS connection');
    expect(await worker.stop()).toBe(0);
    expect(worker.output()).not.toContain(new URL(amqpUrl).password);
  });
});

describe('a URL that asks for TLS and takes it back', () => {
  // This database can be reached without TLS alone: what gets in here was not encrypted.
  const open = () => postgres.url.replace('127.0.0.1', 'localhost');

  it('would be noticed: without TLS one gets in, with TLS one does not', async () => {
    expect((await run(['user', 'list'], { DATABASE_URL: open() })).output).toContain('does not exist');
    const { code, line } = refusal(
      await run(['user', 'list'], { ...database(), DATABASE_URL: `${open()}?sslmode=verify-full` }),
    );
    expect(code).toBe(1);
    expect(line).toMatch(/pg_hba/);
  });

  it.each([
    'sslmode=verify-full&ssl=0',
    'sslmode=verify-full&ssl=false',
    'ssl=0&sslmode=verify-full',
    'sslmode=verify-full&%73%73%6c=0',
    'sslmode=verify-full&sslmode=disable',
    'sslmode=disable&sslmode=verify-full',
    'SSLMODE=verify-full',
    'sslmode=verify-full&uselibpqcompat=true',
    'sslmode=verify-full&sslnegotiation=postgres&ssl=',
    'sslmode=verify-full&host=127.0.0.1',
    'sslmode=Verify-Full',
    'sslmode=verify-full%00',
  ])('%s is wrong configuration', async (parameters) => {
    for (const more of [{}, certificates('DATABASE', authority.ca, client)]) {
      const { code, line } = refusal(
        await run(['user', 'list'], { ...more, DATABASE_URL: `${open()}?${parameters}` }),
      );
      expect({ code, line }).toMatchObject({
        code: 2,
        line: expect.stringContaining('the database URL has '),
      });
    }
  });

  it('what the environment says to other programs changes nothing', async () => {
    const environment = { PGSSLMODE: 'disable', PGSSLNEGOTIATION: 'postgres', PGHOST: 'localhost' };
    const url = `${open()}?sslmode=verify-full`;
    const { code, line } = refusal(
      await runAlone(['user', 'list'], { ...database(), ...environment, DATABASE_URL: url }),
    );
    expect(code).toBe(1);
    expect(line).toMatch(/pg_hba/);
    const encrypted = { ...database(), ...environment };
    expect(await runAlone(['migrate'], encrypted)).toMatchObject({ code: 0 });
  });

  it.each(['verify=verify_none', 'heartbeat=0&frameMax=0', 'cacertfile=/ca', 'channelMax=1', 'x'])(
    'so is AMQP_URL with ?%s',
    async (parameters) => {
      const environment = { ...broker(), AMQP_URL: `${amqpUrl}?${parameters}` };
      const { code, line } = refusal(await run(['topology', '--check'], environment));
      expect(code).toBe(2);
      expect(line).toContain('AMQP_URL: expected amqp://user:password@host:5672/vhost without parameters');
    },
  );
});

describe('certificates that do not fit together are wrong configuration', () => {
  it.each([
    ['a key without a certificate', () => ({ DATABASE_TLS_CERT_FILE: '' }), 'DATABASE_TLS_CERT is missing'],
    ['a certificate without a key', () => ({ DATABASE_TLS_KEY_FILE: '' }), 'DATABASE_TLS_KEY is missing'],
    [
      'the key of another',
      () => ({ DATABASE_TLS_KEY_FILE: foreign.key }),
      'DATABASE_TLS_…: expected certificates',
    ],
    [
      'no PEM',
      () => ({ DATABASE_TLS_CA: '/etc/ca.crt' }),
      'DATABASE_TLS_CA: expected certificates in PEM form',
    ],
    [
      'files in the URL',
      () => ({ DATABASE_URL: `${databaseUrl}?sslrootcert=/ca` }),
      'give certificates in DATABASE_TLS_CA',
    ],
    ['sslmode=disable', () => ({ DATABASE_URL: `${databaseUrl}?sslmode=disable` }), 'sslmode=disable, but'],
    [
      'an sslmode that is none',
      () => ({ DATABASE_URL: `${databaseUrl}?sslmode=full` }),
      'sslmode=full: expected',
    ],
  ])('%s', async (_, change, expected) => {
    const { code, line } = refusal(await run(['migrate'], { ...database(), ...change() }));
    expect(code).toBe(2);
    expect(line).toContain(expected);
  });

  it('certificates for a broker that is not encrypted', async () => {
    const { code, line } = refusal(await run(['topology'], { ...broker(), AMQP_URL: rabbitmq.url }));
    expect(code).toBe(2);
    expect(line).toContain('AMQP_URL: expected amqps://');
  });
});
