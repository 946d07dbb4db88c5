import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Identifies a process, even if its number is reused later. */
export interface ProcessId {
  pid: number;
  /** Clock ticks since boot, as in /proc/<pid>/stat. */
  startTime: string;
}

interface Stat {
  state: string;
  parent: number;
  startTime: string;
}

function stat(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The command name before the last ')' may itself hold blanks and brackets.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', parent: Number(fields[1]), startTime: fields[19] ?? '' };
}

/** The identity of a running process, undefined if there is none with this number. */
export function identify(pid: number): ProcessId | undefined {
  const found = stat(pid);
  return found && { pid, startTime: found.startTime };
}

/** Whether exactly this process still runs. A zombie counts as ended. */
export function isRunning(id: ProcessId): boolean {
  const found = stat(id.pid);
  return found !== undefined && found.startTime === id.startTime && !'ZX'.includes(found.state);
}

/**
 * Whether a process runs and has a path in `dir` on its command line. Its working directory would say the same,
 * but in a container not even root may ask for the one of another user's process.
 */
export function belongsTo(id: ProcessId, dir: string): boolean {
  if (!isRunning(id)) return false;
  try {
    return readFileSync(`/proc/${id.pid}/cmdline`, 'latin1')
      .split('\0')
      .some((arg) => arg === dir || arg.startsWith(`${dir}/`));
  } catch {
    return false;
  }
}

/** The process and everything below it. Process groups would not do: PostgreSQL gives each backend its own. */
export function family(root: ProcessId): ProcessId[] {
  if (!isRunning(root)) return [];
  const children = new Map<number, ProcessId[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    const found = Number.isInteger(pid) ? stat(pid) : undefined;
    if (!found) continue;
    const siblings = children.get(found.parent) ?? [];
    siblings.push({ pid, startTime: found.startTime });
    children.set(found.parent, siblings);
  }
  const members = [root];
  for (const member of members) members.push(...(children.get(member.pid) ?? []));
  return members;
}

/** Sends a signal to a process unless it has ended. */
export function send(id: ProcessId, signal: NodeJS.Signals): void {
  if (!isRunning(id)) return;
  try {
    process.kill(id.pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Sends a signal to a process and all its descendants; returns them. */
export function sendToFamily(root: ProcessId, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): ProcessId[] {
  // A stopped parent starts no children between the listing and the signal.
  if (signal !== 'SIGCONT') send(root, 'SIGSTOP');
  const members = family(root);
  for (const member of members) send(member, signal);
  return members;
}

/** Waits until all of these processes have ended; false when time ran out first. */
export async function ended(ids: readonly ProcessId[], timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (ids.some(isRunning)) {
    if (Date.now() > deadline) return false;
    await delay(20);
  }
  return true;
}
