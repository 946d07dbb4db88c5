import type { Latency } from './latency.ts';
import { type Measured, totalOf } from './meter.ts';
import { median } from './numbers.ts';
import type { Results } from './results.ts';
import type { Start } from './start.ts';

/** A figure with a goal: its name and one value per round. */
export interface Ratio {
  name: string;
  values: number[];
}

/** The steps before a batch is persisted and after it. */
const DECODE_TO_REPLY = ['admit, as a whole', 'reply'];
/** The first second of a worker is start-up. */
const START_UP_SAMPLES = 4;

export type Ratios = ReturnType<typeof ratiosOf>;

/** The figures that have goals; a figure has no values if a part that it needs was not run. */
export function ratiosOf({
  node,
  drains,
  starts,
  firstMinute,
  scaling,
  growth,
  replays,
  memory,
  garbage = [],
  machine,
  chargedShare,
}: Results) {
  const { broker, database, idiom, worker } = drains;
  const nodeSeconds = DECODE_TO_REPLY.reduce((sum, step) => sum + median(node[step] ?? []), 0) / 1000;
  const paired = (combine: (index: number, round: Measured) => number) =>
    worker.map((round, index) => combine(index, round)).filter(Number.isFinite);
  const parts = (index: number) => totalOrNone(broker[index]) + totalOrNone(database[index]) + nodeSeconds;
  const tailAt = (rate: string) => (firstMinute.worker[rate] ?? []).map(({ p50, p99 }) => p99 / p50);
  const gain = (customers: string, workers: number) =>
    (scaling[`${customers}, ${workers}`] ?? []).map(
      (rate, index) => rate / (scaling[`${customers}, 1`]?.[index] ?? Number.NaN),
    );
  const charged = (rounds: readonly Measured[]) =>
    rounds.map(({ cpu }) => (1000 * chargedShare) / totalOf(cpu));
  return {
    idiom: ratio('worker / idiom, steady', over(rates(worker), rates(idiom))),
    idiomFromFirst: ratio(
      'worker / idiom, from the first message',
      over(rates(starts.worker.map(wholeOf)), rates(starts.idiom.map(wholeOf))),
    ),
    limit: ratio(
      'worker / (cores / (broker + database + node))',
      paired((index, { perSecond }) => (perSecond * parts(index)) / 1000 / machine.cores),
    ),
    explained: ratio(
      '(broker + database + node) / CPU of the worker',
      paired((index, { cpu }) => parts(index) / totalOf(cpu)),
    ),
    consuming: ratio(
      'seconds from the start of the worker until it consumes',
      starts.worker.map(({ consuming }) => consuming),
    ),
    full: ratio(
      'seconds from the start of the worker to 90 % of its steady rate',
      starts.worker.map(({ full }) => full),
    ),
    p99At200: ratio(
      'p99 at 200/s, first minute: worker / idiom',
      over(tails(firstMinute.worker), tails(firstMinute.idiom)),
    ),
    tailAt200: ratio('p99 / p50 of the worker at 200/s, first minute', tailAt('200')),
    tailAt1000: ratio('p99 / p50 of the worker at 1,000/s, first minute', tailAt('1000')),
    twoHot: ratio(
      'rate of two workers / one, half a core each, one hot customer',
      gain('one hot customer', 2),
    ),
    twoEven: ratio(
      'rate of two workers / one, half a core each, no hot customer',
      gain('no hot customer', 2),
    ),
    twoSmall: ratio(
      'rate of two workers / one, a quarter of a core each, one hot customer',
      gain('one hot customer, a quarter of a core each', 2),
    ),
    grown: ratio('database CPU per message, most calls stored / none', grownBy(growth)),
    memory: ratio('memory of the worker on a backlog, MiB', memory.slice(START_UP_SAMPLES)),
    garbage: ratio(
      'kB that a message leaves behind in a full batch',
      garbage.map(({ perMessage }) => perMessage / 1000),
    ),
    loneGarbage: ratio(
      'kB that a batch of one leaves behind',
      garbage.map(({ perLoneBatch }) => perLoneBatch / 1000),
    ),
    replayed: ratio(
      'rate of replays / of ordinary calls',
      replays.map(({ ordinary, replayed }) => replayed / ordinary),
    ),
    charged: ratio('charged CDRs per core-second of the worker', charged(worker)),
    chargedByIdiom: ratio('charged CDRs per core-second of the idiom', charged(idiom)),
    chargedToIdiom: ratio(
      'charged CDRs per core-second: worker / idiom',
      over(charged(worker), charged(idiom)),
    ),
  };
}

const rates = (rounds: readonly Measured[]) => rounds.map(({ perSecond }) => perSecond);
const wholeOf = ({ whole }: Start) => whole;
const tails = (latency: Record<string, Latency[]>) => (latency['200'] ?? []).map(({ p99 }) => p99);

/** One by the other, round by round. */
function over(values: readonly number[], others: readonly number[]): number[] {
  return values.map((value, index) => value / (others[index] ?? Number.NaN)).filter(Number.isFinite);
}

function ratio(name: string, values: number[]): Ratio {
  return { name, values };
}

function grownBy(growth: Results['growth']): number[] {
  const sizes = Object.keys(growth).sort((a, b) => Number(a) - Number(b));
  const [empty, full] = [growth[sizes[0] ?? ''], growth[sizes.at(-1) ?? '']];
  if (empty === undefined || full === undefined || sizes.length < 2) return [];
  const before = median(empty.map(({ cpu }) => cpu.database));
  return full.map(({ cpu }) => cpu.database / before);
}

function totalOrNone(measured: Measured | undefined): number {
  return measured === undefined ? Number.NaN : totalOf(measured.cpu);
}
