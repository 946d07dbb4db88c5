import { readFileSync } from 'node:fs';
import { ConfigError } from '../../config.ts';
import type { SelectionOptions } from './options.ts';

export interface ReplayOptions extends SelectionOptions {
  all?: boolean;
  dryRun?: boolean;
  dryRunId?: string;
  resume?: string;
  set?: string[];
  rename?: string[];
  unset?: string[];
  body?: string;
  unverified?: boolean;
  why?: string;
  limit?: string;
  rate?: string;
  abortOver?: string;
  yes?: boolean;
  json?: boolean;
}

/** Collects the values of an option that may be repeated. */
export function repeated(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** What may stand beside --dry-run-id and --resume: the rest was settled when the replay was made. */
const BESIDE: ReadonlySet<string> = new Set(['rate', 'abortOver', 'yes', 'json']);

/** Throws ConfigError where --dry-run-id or --resume stands beside what it settles itself. */
export function expectAlone(ids: readonly string[], options: ReplayOptions): void {
  const own = options.dryRunId === undefined ? 'resume' : 'dryRunId';
  const others = Object.keys(options).filter((name) => name !== own && !BESIDE.has(name));
  const [other] = ids.length > 0 ? ['ids'] : others.map(optionName);
  if (other !== undefined)
    throw new ConfigError(
      `${optionName(own)}: expected without ${other}, which was settled when it was made`,
    );
}

function optionName(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The id of a replay. Throws ConfigError. */
export function idOfReplay(option: string, text: string): string {
  if (/^\d{1,18}$/.test(text)) return text;
  throw new ConfigError(`--${option}: expected the number of a replay, got ${JSON.stringify(text)}`);
}

/** The text of --body. Throws ConfigError. */
export function bodyIn(file: string): string {
  const bytes = readBytes(file);
  const text = bytes.toString('utf8');
  if (!Buffer.from(text).equals(bytes)) throw new ConfigError(`--body: ${JSON.stringify(file)} is not UTF-8`);
  return text;
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file === '-' ? process.stdin.fd : file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`--body: expected a file that can be read: ${reason}`);
  }
}
