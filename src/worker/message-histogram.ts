import type { Metric, Registry } from 'prom-client';

type Labels = Readonly<Record<string, string>>;

/** What was observed with one set of labels. */
class Tally {
  readonly labels: Labels;
  readonly #bounds: readonly number[];
  /** By bucket, the one without a bound last. */
  readonly #counts: number[];
  #sum = 0;

  constructor(labels: Labels, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.#counts = [...bounds, Number.POSITIVE_INFINITY].map(() => 0);
  }

  observe(value: number): void {
    let bucket = 0;
    while (value > (this.#bounds[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
  }

  /** As prom-client has them: each bucket with those below it. */
  valuesOf(name: string) {
    let count = 0;
    const buckets = this.#counts.map((observed, bucket) => {
      count += observed;
      const le = this.#bounds[bucket] ?? '+Inf';
      return { metricName: `${name}_bucket`, labels: { le, ...this.labels }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels: this.labels, value: this.#sum },
      { metricName: `${name}_count`, labels: this.labels, value: count },
    ];
  }
}

/**
 * A histogram in which something is observed for every message. That of prom-client makes a text of the labels each time, which
 * is 430 bytes of garbage a message (bench/NOTES.md).
 */
export class MessageHistogram {
  readonly name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #tallies: Tally[] = [];

  constructor(registry: Registry, name: string, help: string, bounds: readonly number[]) {
    this.name = name;
    this.#help = help;
    this.#bounds = bounds;
    // A registry asks for no more than a name and `get`.
    registry.registerMetric(this as unknown as Metric);
  }

  /** What is observed with these labels; call it once for each set. */
  labels(labels: Labels): Pick<Tally, 'observe'> {
    const tally = new Tally(labels, this.#bounds);
    this.#tallies.push(tally);
    return tally;
  }

  async get() {
    const { name } = this;
    const values = this.#tallies.flatMap((tally) => tally.valuesOf(name));
    return { name, help: this.#help, type: 'histogram', aggregator: 'sum', values };
  }
}
