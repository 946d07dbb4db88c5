import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { retry } from '../retry.ts';
import { classifyFailure, type Database } from '../store/database.ts';
import { correctDeadLetters } from '../store/dead-letters/edit.ts';
import { markReplaying, readFinished, readReplayable } from '../store/dead-letters/mark.ts';
import { persistAndRollBack } from '../store/persist/dry-run.ts';
import type { Sql } from '../store/sql.ts';
import { admitKept } from '../worker/admission.ts';
import type { DryRunPorts } from './dry-run.ts';
import type { ReplayPorts } from './replay.ts';

const TOKEN_BYTES = 32;
const TRIES = 8;
const TIMEOUT_MS = 60_000;

/** A replay on the real database and, through `send`, the real broker. */
export function replayPorts(
  { sql }: { sql: Sql },
  { operator, why }: { operator: string; why: string | null },
  send: ReplayPorts['send'],
  onProgress: ReplayPorts['onProgress'],
): ReplayPorts {
  return {
    read: (ids) => patiently(() => readReplayable(sql, ids)),
    correct: (corrections) => patiently(() => correctDeadLetters(sql, corrections, operator, why)),
    mark: (marks) => patiently(() => markReplaying(sql, marks, operator, why)),
    finished: (attempts) => patiently(() => readFinished(sql, attempts)),
    send,
    tokens,
    now: () => performance.now(),
    wait: (milliseconds) => sleep(milliseconds),
    onProgress,
  };
}

export function dryRunPorts(
  { database, sql }: { database: Database; sql: Sql },
  config: Pick<Config, 'SYSTEM_CURRENCY' | 'MAX_BODY_BYTES' | 'IGNORED_PARAMETERS'>,
): DryRunPorts {
  const rules = {
    maxBodyBytes: config.MAX_BODY_BYTES,
    // A dry run keeps nothing.
    keptBodyBytes: 0,
    ignored: new Set(config.IGNORED_PARAMETERS),
    systemCurrency: config.SYSTEM_CURRENCY,
  };
  return {
    read: (ids) => readReplayable(sql, ids),
    admit: (body, contentType) => admitKept(body, contentType, rules),
    tryOut: (submissions) =>
      patiently(() => persistAndRollBack(database.prisma, submissions, config.SYSTEM_CURRENCY, TIMEOUT_MS)),
  };
}

/** Drawn at once: asking for random bits costs more than the bits. */
function tokens(count: number): string[] {
  const bits = randomBytes(count * TOKEN_BYTES);
  return Array.from({ length: count }, (_, index) =>
    bits.toString('base64url', index * TOKEN_BYTES, (index + 1) * TOKEN_BYTES),
  );
}

/** Repeats what only collided with others, or met a database that is away for a moment. */
function patiently<Result>(work: () => Promise<Result>): Promise<Result> {
  return retry(work, (error, attempt) => classifyFailure(error) !== 'message' && attempt < TRIES);
}
