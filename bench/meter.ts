import { readFileSync } from 'node:fs';
import { family, identify } from '../dev/stack/process.ts';

/** CPU seconds by who used them. */
export interface Cpu {
  worker: number;
  broker: number;
  database: number;
}

export interface Sample {
  /** Monotonic milliseconds. */
  at: number;
  /** Messages done by then. */
  done: number;
  cpu: Cpu;
}

/** The result of one round of a part. */
export interface Measured {
  perSecond: number;
  /** CPU seconds per 1,000 messages. */
  cpu: Cpu;
}

export type Pids = Record<keyof Cpu, number | undefined>;

/** The kernel counts in ticks of 10 ms on every Linux (USER_HZ). */
const TICKS_PER_SECOND = 100;

export function sample(pids: Pids, done: number): Sample {
  const at = performance.now();
  const cpu = {
    worker: cpuSeconds(pids.worker),
    broker: cpuSeconds(pids.broker),
    database: cpuSeconds(pids.database),
  };
  return { at, done, cpu };
}

export function between(from: Sample, to: Sample): Measured {
  const done = to.done - from.done;
  const perThousand = (who: keyof Cpu) => ((to.cpu[who] - from.cpu[who]) / done) * 1000;
  return {
    perSecond: done / ((to.at - from.at) / 1000),
    cpu: {
      worker: perThousand('worker'),
      broker: perThousand('broker'),
      database: perThousand('database'),
    },
  };
}

export const totalOf = ({ worker, broker, database }: Cpu) => worker + broker + database;

/** CPU time of a process and its descendants, including those that have ended. */
function cpuSeconds(pid: number | undefined): number {
  const root = pid === undefined ? undefined : identify(pid);
  if (root === undefined) return 0;
  // A process that ends after its parent was read and before it is read itself would be missing.
  for (let members = family(root); ; ) {
    const ticks = members.reduce((sum, member) => sum + ticksOf(member.pid), 0);
    const after = family(root);
    if (after.length === members.length && after.every(({ pid }, at) => pid === members[at]?.pid))
      return ticks / TICKS_PER_SECOND;
    members = after;
  }
}

function ticksOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // utime, stime and those of children that have ended; the command name before ')' may hold blanks.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  } catch {
    // Ended since it was listed: its parent has its time now.
    return 0;
  }
}
