import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverUser } from '../../dev/stack/places.ts';
import { startPostgres, startRabbit } from '../../dev/stack.ts';
import type { Recording } from '../k8s/alerting/recording.ts';
import { record } from './alert-stage.ts';

/** Outages of broker and database, each recorded on a server of its own where that is what fails. */
export const outages: Record<string, (metrics: ReadonlySet<string>) => Promise<Recording>> = {
  'broker-down': async (metrics) => {
    const rabbit = await startRabbit();
    return await record('broker-down', { rabbit }, metrics, {
      fault: () => rabbit.stop('hard'),
      after: () => rabbit.start(),
    }).finally(() => rabbit.remove());
  },
  'broker-silent': (metrics) =>
    record('broker-silent', {}, metrics, {
      fault: async ({ broker }) => broker.stall(),
      after: async ({ broker }) => broker.resume(),
    }),
  'broker-disk-full': async (metrics) => {
    const rabbit = await startRabbit();
    let availableBytes = 60e9;
    const volume = '{persistentvolumeclaim="persistence-cdr-rabbitmq-server-0"}';
    return await record('broker-disk-full', { rabbit }, metrics, {
      before: async ({ foreign }) => {
        foreign.set(`kubelet_volume_stats_capacity_bytes${volume}`, () => 100e9);
        foreign.set(`kubelet_volume_stats_available_bytes${volume}`, () => availableBytes);
      },
      // The broker is told that it needs more room than any disk has.
      fault: async () => {
        availableBytes = 1e9;
        await rabbit.ctl(['set_disk_free_limit', String(10 ** 15)]);
      },
      after: async () => {
        availableBytes = 60e9;
        await rabbit.ctl(['set_disk_free_limit', '50MB']);
      },
    }).finally(() => rabbit.remove());
  },
  'database-down': async (metrics) => {
    const postgres = await startPostgres();
    return await record('database-down', { postgres }, metrics, {
      fault: () => postgres.stop('hard'),
      after: () => postgres.start(),
    }).finally(() => postgres.remove());
  },
  'database-disk-full': recordFullDisk,
};

/** A disk of 32 MB for the calls alone: mounting it takes root. What it has left is what a kubelet would export. */
async function recordFullDisk(metrics: ReadonlySet<string>): Promise<Recording> {
  const disk = mkdtempSync(join(tmpdir(), 'cdr-ingest-disk-'));
  const { uid, gid } = serverUser() ?? { uid: process.getuid?.(), gid: process.getgid?.() };
  execFileSync('mount', [
    '-t',
    'tmpfs',
    '-o',
    `size=32m,mode=700,uid=${uid},gid=${gid}`,
    'cdr-ingest-test',
    disk,
  ]);
  const postgres = await startPostgres();
  const filler = join(disk, 'filler');
  const volume = '{persistentvolumeclaim="cdr-postgresql-1"}';
  return await record('database-disk-full', { postgres }, metrics, {
    before: async ({ site, foreign }) => {
      await site.rows(`create tablespace small location '${disk}'`);
      await site.rows('alter table cdrs set tablespace small');
      const left = () => statfsSync(disk);
      foreign.set(`kubelet_volume_stats_capacity_bytes${volume}`, () => left().blocks * left().bsize);
      foreign.set(`kubelet_volume_stats_available_bytes${volume}`, () => left().bavail * left().bsize);
    },
    fault: async () => {
      try {
        writeFileSync(filler, Buffer.alloc(64_000_000));
      } catch {
        // It is full.
      }
    },
    after: async () => rmSync(filler),
  }).finally(async () => {
    await postgres.remove();
    execFileSync('umount', [disk]);
    rmSync(disk, { recursive: true });
  });
}
