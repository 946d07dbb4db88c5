import { expect, it } from 'vitest';
import { examineCertificates } from '../../src/commands/doctor/certificates.ts';
import { tablesHealth } from '../../src/commands/doctor/schema.ts';
import { replicationHealth, serverHealth, sessionsHealth } from '../../src/commands/doctor/server.ts';
import type { ReplicationState } from '../../src/store/health/replication.ts';
import type { ServerState } from '../../src/store/health/server.ts';
import type { TablesState } from '../../src/store/health/tables.ts';

const server: ServerState = {
  version: '17.2',
  major: 17,
  isWritable: true,
  unsafe: [],
  unsafeOverrides: [],
  synchronousStandbys: '',
  waitsForStandbys: true,
  connections: 10,
  maxConnections: 97,
  collation: null,
  clockAheadMs: 0,
  roundTripMs: 1,
};
const replication: ReplicationState = { slots: [], standbys: 2, synchronous: 1, archiving: null };
const sees = { seesOthers: true, role: 'cdr' };

it.each<[Partial<ServerState>, string, string]>([
  [{ version: '14.9', major: 14 }, 'failed', 'PostgreSQL 14.9: expected 15 or later'],
  [{ connections: 88 }, 'warning', '88 of 97 connections are in use (max_connections)'],
  [{ connections: 87 }, 'ok', 'PostgreSQL 17.2, writable, no synchronous standby'],
  [
    { unsafe: ['fsync'] },
    'failed',
    'PostgreSQL 17.2 may lose commits: fsync is off, expected on (postgresql.conf)',
  ],
])('a server with %j is %s', (changed, state, detail) => {
  expect(serverHealth({ ...server, ...changed })).toEqual({ state, detail });
});

it('standbys are counted as far as this role may see them', () => {
  const two = { ...server, synchronousStandbys: 'first 2 (a, b, c)' };
  expect(replicationHealth(replication, two, sees).detail).toContain(
    '1 of 2 synchronous standbys are connected',
  );
  const blind = { seesOthers: false, role: 'cdr' };
  const hidden = { ...replication, synchronous: 0 };
  expect(replicationHealth(hidden, two, blind)).toEqual({
    state: 'unknown',
    detail:
      'skipped: whether the standbys are synchronous: this role may not see it; "grant pg_read_all_stats to cdr" lets it',
  });
  expect(replicationHealth({ ...hidden, standbys: 1 }, two, blind)).toMatchObject({ state: 'failed' });
});

it.each([
  ['unreserved', true],
  ['lost', false],
])('a slot whose WAL is %s is a failure, whether it is used or not', (walStatus, isActive) => {
  const slots = [{ name: 's', isActive, walStatus, retained: '1 GB', isBounded: true }];
  expect(replicationHealth({ ...replication, slots }, server, sees)).toMatchObject({ state: 'failed' });
});

it.each([
  ['prepared', 5, 'warning'],
  ['prepared', 600, 'failed'],
  ['idle', 59, 'ok'],
  ['idle', 60, 'warning'],
  ['idle', 600, 'failed'],
  ['blocking', 9, 'ok'],
  ['blocking', 10, 'warning'],
  ['blocking', 600, 'failed'],
  ['active', 3599, 'ok'],
  ['active', 3600, 'warning'],
] as const)('a transaction that is %s for %d s: %s', (kind, seconds, state) => {
  const transactions = [{ kind, whose: 'x', seconds }];
  expect(sessionsHealth({ transactions, ...sees })).toMatchObject({ state });
});

it.each([
  [199e6, 'ok'],
  [400e6, 'warning'],
  [1600e6, 'failed'],
])('transaction ids of an age of %d are %s', (age, state) => {
  const tables: TablesState = {
    ...{ invalidIndexes: [], unloggedTables: [], disabledTriggers: [], unvacuumedTables: [], sequences: [] },
    ...{ isAutovacuumOn: true, freezeAge: 200e6, age },
  };
  expect(tablesHealth(tables)).toMatchObject({ state });
});

it.each([
  ['2026-01-01', '2026-04-01', '2026-03-01', 'ok'],
  ['2026-01-01', '2026-04-01', '2026-03-20', 'warning'],
  ['2026-01-01', '2026-04-01', '2026-04-02', 'failed'],
  // Renewed daily.
  ['2026-01-01T00:00', '2026-01-02T00:00', '2026-01-01T18:00', 'ok'],
  ['2026-01-01T00:00', '2026-01-02T00:00', '2026-01-01T20:00', 'warning'],
])('a certificate from %s to %s is on %s: %s', (validFrom, validTo, now, state) => {
  const certificates = [{ whose: "the broker's certificate", validFrom, validTo }];
  expect(examineCertificates(certificates, Date.parse(now))).toMatchObject([
    { check: 'certificates', state },
  ]);
});

it('nothing is said of certificates where there is no TLS', () => {
  expect(examineCertificates([], 0)).toEqual([]);
});
