import { type Health, healthFrom } from '../../broker/health/health.ts';
import type { ReplicationState } from '../../store/health/replication.ts';
import type { ServerState } from '../../store/health/server.ts';
import type { OpenTransaction, SessionRights, SessionsState } from '../../store/health/sessions.ts';

const OLDEST = 15;
/** With clocks further apart, times in logs, dead letters and calls are hard to compare. */
const CLOCK_LIMIT_MS = 2000;
/** Of the connections that there may be. */
const CROWDED = 0.9;

/** Whether the server keeps what it has committed, and takes more. */
export function serverHealth(state: ServerState): Health {
  const { version, major, isWritable, unsafe, unsafeOverrides, synchronousStandbys } = state;
  const named = `PostgreSQL ${version}`;
  if (!isWritable)
    return { state: 'failed', detail: `${named} is read-only: DATABASE_URL must lead to the primary` };
  const isLocal = synchronousStandbys !== '' && !state.waitsForStandbys;
  const crowd = `${state.connections} of ${state.maxConnections} connections are in use (max_connections)`;
  const standbys =
    synchronousStandbys === '' ? 'no synchronous standby' : `synchronous standbys: ${synchronousStandbys}`;
  return healthFrom({
    problems: [
      ...(major < OLDEST ? [`${named}: expected ${OLDEST} or later`] : []),
      ...(unsafe.length > 0
        ? [`${named} may lose commits: ${unsafe.join(', ')} is off, expected on (postgresql.conf)`]
        : []),
      ...unsafeOverrides.map(
        (setting) => `${setting}: commits may be lost, or none made (alter role … reset)`,
      ),
      ...(isLocal && unsafe.length === 0
        ? [`commits do not wait for the synchronous standbys: synchronous_commit is local, expected on`]
        : []),
      ...(state.collation === null
        ? []
        : [
            `the system sorts texts by version ${state.collation.actual} and the indexes were built by ${state.collation.recorded}: a stored uniqueid may not be found and its call charged again. Run "reindex database" and "alter database … refresh collation version"`,
          ]),
    ],
    warnings: state.connections >= state.maxConnections * CROWDED ? [crowd] : [],
    fine: `${named}, writable, ${standbys}`,
  });
}

export function clockHealth({ clockAheadMs, roundTripMs }: ServerState): Health {
  const ahead = clockAheadMs >= 0 ? 'ahead of' : 'behind';
  const detail = `the database's clock is ${Math.abs(clockAheadMs)} ms ${ahead} this one (±${Math.ceil(roundTripMs / 2)} ms)`;
  const isOff = Math.abs(clockAheadMs) - roundTripMs / 2 > CLOCK_LIMIT_MS;
  return isOff
    ? { state: 'failed', detail: `${detail}: synchronize both with NTP` }
    : { state: 'ok', detail };
}

/** Whether standbys and archive keep up: what they have not had, PostgreSQL keeps until the disk is full. */
export function replicationHealth(
  { slots, standbys, synchronous, archiving }: ReplicationState,
  { synchronousStandbys }: ServerState,
  { seesOthers, role }: SessionRights,
): Health {
  const wanted = synchronousStandbys === '' ? 0 : Number(/(\d+)\s*\(/.exec(synchronousStandbys)?.[1] ?? 1);
  const connected = seesOthers ? synchronous : standbys;
  const hidden = wanted > 0 && standbys >= wanted && !seesOthers;
  return healthFrom({
    problems: [
      ...(connected < wanted
        ? [
            `${connected} of ${wanted} synchronous standbys are connected (${synchronousStandbys}): every commit waits`,
          ]
        : []),
      ...slots.flatMap(slotProblem),
      ...(archiving === null ? [] : archivingProblem(archiving)),
    ],
    warnings: slots.flatMap(({ name, isActive, retained }) =>
      !isActive && retained === null ? [`the replication slot ${name} was never used`] : [],
    ),
    skipped: hidden ? [`whether the standbys are synchronous: ${mayNotSee(role)}`] : [],
    fine: [
      `${standbys} connected`,
      slots.length === 0 ? 'no replication slot' : `all ${slots.length} replication slots in use`,
      archiving === null ? 'WAL is not archived' : 'WAL is archived',
    ].join(', '),
  });
}

function slotProblem({ name, isActive, walStatus, retained, isBounded }: ReplicationState['slots'][number]) {
  if (walStatus === 'lost' || walStatus === 'unreserved')
    return [
      `the replication slot ${name} ${walStatus === 'lost' ? 'has lost' : 'is about to lose'} WAL that its standby needs: build the standby anew, or drop the slot`,
    ];
  if (isActive || retained === null) return [];
  return [
    `nobody uses the replication slot ${name}, which keeps ${retained} of WAL${isBounded ? '' : ', and without max_slot_wal_keep_size more until the disk is full'}. Bring its standby back, or: select pg_drop_replication_slot('${name}')`,
  ];
}

function archivingProblem({
  command,
  failedSince,
  failures,
  lastFailed,
}: NonNullable<ReplicationState['archiving']>) {
  if (!command)
    return ['WAL is to be archived, but archive_command is empty: it piles up until the disk is full'];
  return failedSince === null
    ? []
    : [
        `archiving WAL fails (${failures} times, last ${lastFailed} at ${failedSince}): it piles up until the disk is full, and backups end there`,
      ];
}

const mayNotSee = (role: string) => `this role may not see it; "grant pg_read_all_stats to ${role}" lets it`;

/** Calls of a row that somebody holds become dead letters after ten minutes (ROW_WAIT_MS). */
const TOO_LONG_S = 600;
const LONG_S = 60;
/** Workers wait for each other's rows for moments. */
const WAIT_S = 10;
/** For those at work, such as a dump. */
const LONG_WORK_S = 3600;

/** Whether somebody keeps a transaction open: it holds rows that calls wait for, and keeps vacuum from its work. */
export function sessionsHealth({ transactions, seesOthers, role }: SessionsState): Health {
  const long = transactions.filter(({ kind, seconds }) => seconds >= MINIMUM[kind]);
  const isTooLong = ({ kind, seconds }: OpenTransaction) => kind !== 'active' && seconds >= TOO_LONG_S;
  return healthFrom({
    problems: long.filter(isTooLong).map(told),
    warnings: long.filter((each) => !isTooLong(each)).map(told),
    skipped: seesOthers ? [] : [`open transactions of other roles: ${mayNotSee(role)}`],
    fine: 'no transaction is open for long',
  });
}

const MINIMUM: Record<OpenTransaction['kind'], number> = {
  prepared: 0,
  blocking: WAIT_S,
  idle: LONG_S,
  active: LONG_WORK_S,
};

function told({ kind, whose, seconds }: OpenTransaction): string {
  switch (kind) {
    case 'prepared':
      return `the prepared transaction ${whose} has been open for ${seconds} s and holds its rows: "commit prepared" or "rollback prepared"`;
    case 'idle':
      return `${whose} has been idle in a transaction for ${seconds} s: its rows may be held (select pg_terminate_backend(pid))`;
    case 'blocking':
      return `${whose} holds a lock that others have waited for ${seconds} s for (select pg_terminate_backend(pid))`;
    case 'active':
      return `${whose} has been in one transaction for ${seconds} s: until it ends, vacuum removes nothing`;
  }
}
