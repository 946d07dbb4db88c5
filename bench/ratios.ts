import { type Measured, totalOf } from './meter.ts';
import { median } from './numbers.ts';
import type { Results } from './report.ts';

/** A figure that a goal is about: its name and a value per round. */
export interface Ratio {
  name: string;
  values: number[];
}

/** Steps between the bytes and the persisting, and after it. */
const DECODE_TO_REPLY = ['admit, as a whole', 'reply'];
/** The first second of a worker is start-up. */
const START_UP_SAMPLES = 4;

export type Ratios = ReturnType<typeof ratiosOf>;

/** The figures that the goals are about; without values where a part was left out. */
export function ratiosOf({
  node,
  drains,
  latency,
  scaling,
  growth,
  replays,
  memory,
  machine,
  chargedShare,
}: Results) {
  const { A, B, C, D } = drains;
  const nodeSeconds = DECODE_TO_REPLY.reduce((sum, step) => sum + median(node[step] ?? []), 0) / 1000;
  const paired = (combine: (index: number, worker: Measured) => number) =>
    D.map((worker, index) => combine(index, worker)).filter(Number.isFinite);
  const parts = (index: number) => totalOrNone(A[index]) + totalOrNone(B[index]) + nodeSeconds;
  const p99At = (rate: string) =>
    (latency.worker[rate] ?? [])
      .map(({ p99 }, index) => p99 / (latency.idiom['200']?.[index]?.p99 ?? Number.NaN))
      .filter(Number.isFinite);
  const tailAt = (rate: string) => (latency.worker[rate] ?? []).map(({ p50, p99 }) => p99 / p50);
  const gain = (customers: string, workers: number) =>
    (scaling[`${customers}, ${workers}`] ?? []).map(
      (rate, index) => rate / (scaling[`${customers}, 1`]?.[index] ?? Number.NaN),
    );
  const charged = (rounds: readonly Measured[]) =>
    rounds.map(({ cpu }) => (1000 * chargedShare) / totalOf(cpu));
  return {
    idiom: ratio(
      'D / C',
      paired((index, { perSecond }) => perSecond / (C[index]?.perSecond ?? Number.NaN)),
    ),
    limit: ratio(
      'D / (cores / (A + B + Node))',
      paired((index, { perSecond }) => (perSecond * parts(index)) / 1000 / machine.cores),
    ),
    explained: ratio(
      '(A + B + Node) / CPU of D',
      paired((index, { cpu }) => parts(index) / totalOf(cpu)),
    ),
    p99At200: ratio('p99 of D at 200/s / of C at 200/s', p99At('200')),
    p99At1000: ratio('p99 of D at 1,000/s / of C at 200/s', p99At('1000')),
    tailAt200: ratio('p99 / p50 of D at 200/s', tailAt('200')),
    tailAt1000: ratio('p99 / p50 of D at 1,000/s', tailAt('1000')),
    twoHot: ratio('two workers of half a core / one, one hot customer', gain('one hot customer', 2)),
    twoEven: ratio('two workers of half a core / one, no hot customer', gain('no hot customer', 2)),
    fourHot: ratio('four workers of half a core / one, one hot customer', gain('one hot customer', 4)),
    fourEven: ratio('four workers of half a core / one, no hot customer', gain('no hot customer', 4)),
    twoSmall: ratio(
      'two workers of a quarter of a core / one, one hot customer',
      gain('one hot customer, a quarter of a core each', 2),
    ),
    grown: ratio('database CPU a message, most calls stored / none', grownBy(growth)),
    memory: ratio('memory of the worker on a backlog, MiB', memory.slice(START_UP_SAMPLES)),
    replayed: ratio(
      'replayed / ordinary calls a second',
      replays.map(({ ordinary, replayed }) => replayed / ordinary),
    ),
    charged: ratio('charged CDRs per core-second of D', charged(D)),
    chargedByIdiom: ratio('charged CDRs per core-second of C', charged(C)),
  };
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
