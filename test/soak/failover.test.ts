import { afterAll, beforeAll, expect, it } from 'vitest';
import { type StandbyServer, startStandby } from '../../dev/stack/standby.ts';
import { type PostgresServer, startPostgres } from '../../dev/stack.ts';
import { type MovingAddress, startAddress } from '../support/address.ts';
import { answeredAnew, expectFaultless, openSite, type Site } from '../support/faults.ts';

const SEED = 5101;
const ROUNDS = 3;
/** The bound that the interface gives, from the fault's end. */
const RECOVERED_MS = 30_000;

const servers: PostgresServer[] = [];
let standby: StandbyServer;
/** Leads to whoever is the primary. */
let address: MovingAddress;
let site: Site;
beforeAll(async () => {
  const primary = await startPostgres({ settings: { wal_level: 'replica', max_wal_senders: '5' } });
  servers.push(primary);
  standby = await startStandby(primary);
  servers.push(standby);
  address = await startAddress(primary.url);
  site = await openSite('failover', SEED, { postgres: { url: address.url(primary.url) } });
});
afterAll(async () => {
  await site?.close();
  await address?.close();
  for (const server of servers.reverse()) await server.remove();
});

it('repeated failover to a synchronous standby loses no call', async () => {
  await Promise.all([site.worker(), site.worker()]);
  const load = site.calls.keepSending();
  let primary = servers[0];
  const promotedMs: number[] = [];
  const recoveredMs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await site.calls.moreAnswered(1000);
    const killed = performance.now();
    await primary?.stop('hard');
    await standby.promote();
    const promoted = performance.now();
    promotedMs.push(Math.round(promoted - killed));
    address.lead(standby.url);
    recoveredMs.push(await answeredAnew(site, promoted));
    await site.calls.moreAnswered(4000);
    primary = standby;
    standby = await startStandby(primary);
    servers.push(standby);
  }
  await load.stop();
  await site.allAnswered();
  const { messages } = site.calls;
  await expectFaultless(site);
  console.log(
    JSON.stringify({ seed: SEED, messages, primariesKilled: ROUNDS, promotedMs, recoveredMs, lost: 0 }),
  );
  for (const each of recoveredMs) expect(each).toBeLessThan(RECOVERED_MS);
});
