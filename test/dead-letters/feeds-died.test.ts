import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { keepsOwnDeaths } from '../../src/broker/delivery.ts';
import { upsertUser } from '../../src/store/users.ts';
import { type Outsider, outsider, supervise, until } from '../support/broker.ts';
import { callOf, type OperatorSite, openOperatorSite } from '../support/operators.ts';
import { cheapHash } from '../support/password.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

const EXCHANGE = 'cdrs.from.fs';
const SOURCES = `fs:
  exchange: ${EXCHANGE}
  as: switch-fs
  machines: [m-1]
  format: json
  call:
    uniqueid: id
    machine: host
    start: { from: begin, time: s }
    scustomer: account
    cost: price
`;

let site: OperatorSite;
let switches: Outsider;
let directory: string;
let again: WorkerProcess | undefined;
let isBelieved = false;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'feeds-'));
  const SOURCES_FILE = join(directory, 'sources.yaml');
  writeFileSync(SOURCES_FILE, SOURCES);
  site = await openOperatorSite('feeds-died', { SOURCES_FILE });
  const passwordHash = await cheapHash('nobody-needs-it');
  await upsertUser(site.db.sql, { username: 'switch-fs', role: 'system', passwordHash });
  switches = await outsider(site.db.amqpUrl);
  const connection = supervise(site.db.amqpUrl);
  await connection.whenUp(10_000);
  isBelieved = keepsOwnDeaths(connection.current?.serverVersion ?? '');
  await connection.stop();
});

afterAll(async () => {
  await switches?.close();
  await again?.stop();
  await site?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** What a client may write that wants its message to be taken for one of the feed. */
const forged = (exchange: string) => ({
  'x-death': [{ count: 7, reason: 'expired', queue: 'cdrs.create', exchange, 'routing-keys': ['x'] }],
});

const storedAs = (uniqueid: string) =>
  site.db.rows(`select source, submitted_by, replayed_by from cdrs where uniqueid = '${uniqueid}'`);
const deadLettersOf = (uniqueid: string) =>
  site.db.rows(
    `select id::text, reason, source, verified::text, status from dead_letters where uniqueid = '${uniqueid}'`,
  );

it('what expired is stored for its feed where the broker can tell, and kept for an operator where not', async () => {
  await site.worker.stop();
  const record = (id: string) => ({ id, host: 'm-1', begin: '1790000000', account: '1', price: '1.25' });
  const send = (exchange: string, body: object, headers = {}) =>
    switches.channel.publish(exchange, 'cdrs.create', Buffer.from(JSON.stringify(body)), {
      expiration: '1',
      headers,
    });
  send(EXCHANGE, record('honest'));
  // A record in disguise of a switch that speaks the contract, and the other way round.
  send('cdrs', record('forged'), forged(EXCHANGE));
  send('cdrs', callOf({ uniqueid: 'call' }), forged(EXCHANGE));
  send(EXCHANGE, record('hidden'), forged('cdrs'));
  await switches.channel.waitForConfirms();
  await until(async () => (await switches.depth('cdrs.dead')) === 4);
  again = await startProcess(['worker'], { ...site.environment, HTTP_PORT: '0' });
  await until(async () => (await switches.depth('cdrs.dead')) === 0);
  await again.logged('batch persisted');

  if (isBelieved) {
    for (const uniqueid of ['honest', 'hidden', 'call'])
      await until(async () => (await storedAs(uniqueid)).length === 1);
    expect(await storedAs('honest')).toMatchObject([{ source: 'fs', submitted_by: 'switch-fs' }]);
    expect(await storedAs('call')).toMatchObject([{ source: null, submitted_by: 'switch' }]);
  } else {
    const parked = { reason: 'poison', source: 'fs', verified: 'false', status: 'dead' };
    for (const uniqueid of ['honest', 'forged'])
      await until(async () => (await deadLettersOf(uniqueid)).length === 1);
    expect(await deadLettersOf('honest')).toMatchObject([parked]);
    expect(await deadLettersOf('forged')).toMatchObject([parked]);
    expect(await storedAs('honest')).toEqual([]);
    const replay = ['replay', '--source', 'fs', '--reason', 'poison', '--uniqueid', 'honest'];
    expect(await site.deadJson(replay)).toMatchObject({ sent: 0 });
    expect(await site.deadJson([...replay, '--unverified'])).toMatchObject({ resolved: 1 });
    expect(await storedAs('honest')).toEqual([{ source: 'fs', submitted_by: 'boss', replayed_by: 'boss' }]);
  }
  expect(await storedAs('forged')).toEqual([]);
  const all = await site.db.rows('select body from dead_letters');
  expect(all.map(({ body }) => body).join('\n')).not.toContain('right-canary');
});
