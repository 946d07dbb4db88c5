import { ascending, type HeardNumbers, type Novelty } from '../domain/sequence.ts';
import type { Counted } from '../store/heard/record.ts';

/** Of one feed, between two recordings. With more apart from each other counting begins anew, rather than tell of false gaps. */
const RANGES_MAX = 20_000;

/** Numbers of one feed's counter that are not recorded yet. */
export class PendingNumbers {
  /** The field that they stood in. */
  readonly field: string;
  #ranges: HeardNumbers[];
  #beginsAnew = false;

  constructor(field: string, number: bigint, novelty: Novelty) {
    this.field = field;
    this.#ranges = [{ first: number, last: number, novelty }];
  }

  add(number: bigint, novelty: Novelty): void {
    pushJoined(this.#ranges, { first: number, last: number, novelty });
    this.#bound();
  }

  addAll(others: PendingNumbers): void {
    for (const range of others.#ranges) pushJoined(this.#ranges, range);
    this.#beginsAnew ||= others.#beginsAnew;
    this.#bound();
  }

  #bound(): void {
    if (this.#ranges.length <= RANGES_MAX) return;
    this.#ranges = joined(this.#ranges);
    if (this.#ranges.length <= RANGES_MAX / 2) return;
    this.#ranges = this.#ranges.slice(-1);
    this.#beginsAnew = true;
  }

  /** They may be on record already: that one of them is there is no sign of a restart. */
  doubt(): void {
    this.#ranges = this.#ranges.map((range) =>
      range.novelty === 'new' ? { ...range, novelty: 'unknown' } : range,
    );
  }

  counted(): Counted {
    return { field: this.field, numbers: joined(this.#ranges), beginsAnew: this.#beginsAnew };
  }
}

/** In the order of the numbers; those become one that follow on each other and have the same novelty. */
function joined(ranges: readonly HeardNumbers[]): HeardNumbers[] {
  const all: HeardNumbers[] = [];
  for (const range of [...ranges].sort((a, b) => ascending(a.first, b.first))) pushJoined(all, range);
  return all;
}

function pushJoined(ranges: HeardNumbers[], range: HeardNumbers): void {
  const latest = ranges.at(-1);
  if (latest?.last === range.first - 1n && latest.novelty === range.novelty)
    ranges[ranges.length - 1] = { ...latest, last: range.last };
  else ranges.push(range);
}
