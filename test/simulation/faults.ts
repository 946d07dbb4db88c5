import type { Random } from './random.ts';

/** What can go wrong at a single step. */
const momentary = [
  'crash',
  'long delay',
  'statement lost',
  'answer lost',
  'deadlock',
  'publish lost',
  'publish refused',
  'confirm lost',
  'ack lost',
] as const;

/** What happens to the world for a while. */
const lasting = [
  'disconnect',
  'database outage',
  'alarm',
  'results unroutable',
  'billed exchange missing',
  'reference change',
  'late calls attached',
  'row locked',
  'row vetoed',
  'row refused',
  'drain',
] as const;

type Momentary = (typeof momentary)[number];
export const everyFault: readonly string[] = [...momentary, ...lasting];

/** See `lasting-faults.ts`. */
export type Lasting = (typeof lasting)[number];

const RATES = [0, 0, 0.005, 0.02, 0.08] as const;

/**
 * Which faults a run has, and how often. Every seed mixes its own few: a run in which everything fails all the
 * time would never come to the states that lie behind one fault.
 */
export class Faults {
  readonly happened = new Map<string, number>();
  readonly #random: Random;
  readonly #note: (text: string) => void;
  readonly #rates: ReadonlyMap<Momentary, number>;
  /** How many times each lasting fault comes. */
  readonly lasting: ReadonlyMap<Lasting, number>;
  #over = false;

  constructor(random: Random, note: (text: string) => void) {
    this.#random = random;
    this.#note = note;
    this.#rates = new Map(momentary.map((fault) => [fault, random.pick(RATES)]));
    this.lasting = new Map(
      lasting.map((fault) => {
        // Of these only the few count that fall between a reading and its writing.
        const many = fault === 'reference change' ? 10 : fault === 'late calls attached' ? 3 : 1;
        return [fault, many * random.pick([0, 0, 1, 2, 4])];
      }),
    );
  }

  get over(): boolean {
    return this.#over;
  }

  /** From now on the world is a friendly place. */
  stop(): void {
    this.#over = true;
  }

  /** Whether this fault strikes here and now. */
  strikes(fault: Momentary): boolean {
    const rate = this.#rates.get(fault) ?? 0;
    if (this.#over || rate === 0 || !this.#random.chance(rate)) return false;
    this.count(fault);
    this.#note(`fault: ${fault}`);
    return true;
  }

  count(fault: string): void {
    this.happened.set(fault, (this.happened.get(fault) ?? 0) + 1);
  }
}
