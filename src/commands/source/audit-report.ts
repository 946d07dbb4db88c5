import { shown } from '../../domain/text.ts';
import { counted } from '../../plural.ts';
import { CommandError } from '../exit.ts';
import { printJson, printLine, printTable } from '../print.ts';
import type { Audited } from './audit-file.ts';

export type State = Audited['standing']['state'];

/** Whether something has to be done about records in a state. */
const hasProblem = {
  stored: false,
  corrected: false,
  skipped: false,
  discarded: false,
  different: true,
  dead: true,
  unmapped: true,
  missing: true,
} as const satisfies Record<State, boolean>;

export const states = Object.keys(hasProblem) as readonly State[];
const problems = states.filter((state) => hasProblem[state]);
/** Records that are listed where nobody asked for all of a state; the table counts all. */
const LISTED = 20;

export function isState(text: string): text is State {
  return (states as readonly string[]).includes(text);
}

/** Counts and lists records while they are read, so that the memory has a bound. */
export class AuditReport {
  readonly counts = Object.fromEntries(states.map((state) => [state, 0])) as Record<State, number>;
  readonly #listed: readonly State[];
  readonly #limit: number;
  readonly #json: boolean;
  #count = 0;

  /** @param shown the state to list in full; null for the first records of all that have a problem */
  constructor(shown: State | null, json: boolean) {
    this.#listed = shown === null ? problems : [shown];
    this.#limit = shown === null && !json ? LISTED : Number.POSITIVE_INFINITY;
    this.#json = json;
  }

  /** Nothing has to be done. */
  get isComplete(): boolean {
    return problems.every((state) => this.counts[state] === 0);
  }

  /** Nothing has to be done but to send what is missing. */
  get isCompleteWithMissing(): boolean {
    return problems.every((state) => state === 'missing' || this.counts[state] === 0);
  }

  /** Prints all of it, also where the file cannot be read on; then throws that CommandError. */
  async read(records: AsyncIterable<Audited>): Promise<void> {
    let problem: CommandError | undefined;
    try {
      for await (const each of records) this.#add(each);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      problem = error;
    }
    this.#printCounts();
    if (problem !== undefined) throw problem;
  }

  #add(each: Audited): void {
    const { state } = each.standing;
    this.counts[state] += 1;
    if (!this.#listed.includes(state)) return;
    this.#count += 1;
    if (this.#count > this.#limit) return;
    if (this.#json) printJson(jsonOf(each), 0);
    else printLine(lineOf(each));
  }

  #printCounts(): void {
    const rows = states.map((state): [string, number] => [state, this.counts[state]]);
    const records = rows.reduce((sum, [, count]) => sum + count, 0);
    const more = this.#count - this.#limit;
    if (this.#json) printJson({ records, states: this.counts }, 0);
    else {
      if (more > 0) printLine(`and ${counted(more, 'other record')}: --show STATE lists all of a state`);
      printTable(['state', 'records'], rows);
    }
  }
}

function jsonOf({ record, uniqueid, standing, errors }: Audited): object {
  return { line: record.line, uniqueid, ...standing, ...(errors.length > 0 && { errors }) };
}

function lineOf({ record, uniqueid, standing, errors }: Audited): string {
  const found =
    standing.state === 'different'
      ? standing.differences.map(
          ({ parameter, stored, received }) =>
            `${parameter} ${shown(received)}, stored with ${shown(stored)}`,
        )
      : errors.map(({ key, message }) => (key === '' ? message : `${key}: ${message}`));
  const which = uniqueid === null ? '' : ` ${uniqueid}`;
  const why = found.length === 0 ? '' : `: ${found.join('; ')}`;
  return `line ${record.line}: ${standing.state}${which}${why}`;
}
