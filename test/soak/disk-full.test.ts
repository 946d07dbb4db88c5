import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { serverUser } from '../../dev/stack/places.ts';
import { type PostgresServer, startPostgres } from '../../dev/stack.ts';
import { until } from '../support/broker.ts';
import { expectFaultless, metric, openSite, type Site } from '../support/faults.ts';

const SEED = 4701;
const ROUNDS = 3;
const PAUSED = 'cdr_ingest_paused{queue="cdrs.create"}';

let disk: string;
let postgres: PostgresServer;
let site: Site;
/** A disk of 32 MB for the calls alone: mounting it takes root. */
beforeAll(async () => {
  disk = mkdtempSync(join(tmpdir(), 'cdr-ingest-disk-'));
  const { uid, gid } = serverUser() ?? { uid: process.getuid?.(), gid: process.getgid?.() };
  const options = `size=32m,mode=700,uid=${uid},gid=${gid}`;
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'cdr-ingest-test', disk]);
  postgres = await startPostgres();
  site = await openSite('disk full', SEED, { postgres, environment: { DELIVERY_LIMIT: '1' } });
  await site.rows(`create tablespace small location '${disk}'`);
  await site.rows('alter table cdrs set tablespace small');
});
afterAll(async () => {
  await site?.close();
  await postgres?.remove();
  execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

it('a disk that fills up again and again costs only time', async () => {
  const worker = await site.worker();
  const load = site.calls.keepSending();
  for (let round = 0; round < ROUNDS; round += 1) {
    await site.calls.moreAnswered(500);
    const filler = join(disk, 'filler');
    // Writes until nothing more fits.
    expect(() => writeFileSync(filler, Buffer.alloc(64_000_000))).toThrow('ENOSPC');
    await until(async () => (await metric(worker, PAUSED)) === 1);
    rmSync(filler);
    await until(async () => (await metric(worker, PAUSED)) === 0);
  }
  await load.stop();
  await site.allAnswered();
  expect(worker.output()).toContain('No space left on device');
  const { messages } = site.calls;
  await expectFaultless(site);
  console.log(JSON.stringify({ seed: SEED, messages, timesFull: ROUNDS, lost: 0, doubled: 0 }));
});
