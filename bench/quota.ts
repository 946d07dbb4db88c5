import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';

/** Short, so that a throttled process waits a few milliseconds at a time and not a tenth of a second. */
const PERIOD_US = 10_000;

/** Where control groups of this machine are made: version 1 has a tree for the CPU alone. */
const TREES = [
  {
    root: '/sys/fs/cgroup/cpu',
    files: (quota: number) => ({ 'cpu.cfs_period_us': PERIOD_US, 'cpu.cfs_quota_us': quota }),
  },
  { root: '/sys/fs/cgroup', files: (quota: number) => ({ 'cpu.max': `${quota} ${PERIOD_US}` }) },
];

/** Holds a process and its children to a share of one core. */
export interface Quota {
  hold: (pid: number) => void;
  /** Only when the processes have ended. */
  remove: () => void;
}

/** Null where this user may not make control groups (it takes root). */
export function quotaOf(cores: number, name: string): Quota | null {
  for (const { root, files } of TREES) {
    const folder = `${root}/cdr-ingest-bench-${process.pid}-${name}`;
    if (!existsSync(root)) continue;
    try {
      mkdirSync(folder);
      for (const [file, value] of Object.entries(files(cores * PERIOD_US)))
        writeFileSync(`${folder}/${file}`, String(value));
      return {
        hold: (pid) => writeFileSync(`${folder}/cgroup.procs`, String(pid)),
        remove: () => rmdirSync(folder),
      };
    } catch {
      if (existsSync(folder)) rmdirSync(folder);
    }
  }
  return null;
}
