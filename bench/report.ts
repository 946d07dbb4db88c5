import type { Latency } from './latency.ts';
import { type Measured, totalOf } from './meter.ts';
import { median, spread } from './numbers.ts';

/** Everything one run found; the rounds as they were. */
export interface Results {
  at: string;
  isQuick: boolean;
  machine: { node: string; cores: number; loadBefore: number; loadAfter: number };
  /** CPU microseconds per message. */
  node: Record<string, number[]>;
  /** A: broker alone; B: database alone; C: the usual idiom; D: the worker. */
  drains: Record<'A' | 'B' | 'C' | 'D', Measured[]>;
  /** By rate offered, a figure per round. */
  latency: { worker: Record<string, Latency[]>; idiom: Record<string, Latency[]> };
  /** F, messages/s by "customers, workers"; each worker held to half a core. */
  scaling: Record<string, number[]>;
  /** G, the database alone by the number of calls stored. */
  growth: Record<string, Measured[]>;
  /** Resident MiB of the worker on a backlog, four times a second. */
  memory: number[];
  /** Share of the messages that are calls to be stored and charged. */
  chargedShare: number;
}

const titles = {
  A: 'A broker alone',
  B: 'B database alone',
  C: 'C the usual idiom',
  D: 'D the worker',
} as const;

const partNames = ['A', 'B', 'C', 'D'] as const;

/** Steps between the bytes and the settling, and after it. */
const DECODE_TO_REPLY = ['admit, as a whole', 'reply'];

/** The figures that the goals are about, per round and so with a spread. NaN where a part was left out. */
export function ratiosOf({ node, drains, latency, scaling, growth, memory, machine, chargedShare }: Results) {
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
  const costs = Object.entries(growth).map(([size, rounds]) => ({
    size: Number(size),
    cost: median(rounds.map(({ cpu }) => cpu.database)),
  }));
  const [empty, full] = [costs[0], costs.at(-1)];
  const grown = empty === undefined || full === undefined ? [] : [full.cost / empty.cost];
  // The first second is start-up.
  const working = memory.slice(4);
  return {
    'D / C': paired((index, { perSecond }) => perSecond / (C[index]?.perSecond ?? Number.NaN)),
    'D / (cores / (A + B + Node))': paired(
      (index, { perSecond }) => (perSecond * parts(index)) / 1000 / machine.cores,
    ),
    '(A + B + Node) / CPU of D': paired((index, { cpu }) => parts(index) / totalOf(cpu)),
    'p99 of D at 200/s / of C at 200/s': p99At('200'),
    'p99 of D at 1,000/s / of C at 200/s': p99At('1000'),
    'p99 / p50 of D at 200/s': tailAt('200'),
    'p99 / p50 of D at 1,000/s': tailAt('1000'),
    'two workers of half a core / one, one hot customer': gain('one hot customer', 2),
    'two workers of half a core / one, no hot customer': gain('no hot customer', 2),
    'four workers of half a core / one, one hot customer': gain('one hot customer', 4),
    'four workers of half a core / one, no hot customer': gain('no hot customer', 4),
    [`database CPU per message at ${count(full?.size)} calls stored / at none`]: grown,
    'memory of the worker on a backlog, MiB': working,
    'charged CDRs per core-second of D': paired((_, { cpu }) => (1000 * chargedShare) / totalOf(cpu)),
    'charged CDRs per core-second of C': C.map(({ cpu }) => (1000 * chargedShare) / totalOf(cpu)),
  };
}

function count(size: number | undefined): string {
  return size === undefined ? 'many' : size.toLocaleString('en-US');
}

const totalOrNone = (measured: Measured | undefined) =>
  measured === undefined ? Number.NaN : totalOf(measured.cpu);

/** The whole result as Markdown, as the documents show it. */
export function report(results: Results): string {
  const { machine, node, drains, latency } = results;
  const rows = partNames.flatMap((part) => {
    const rounds = drains[part];
    if (rounds.length === 0) return [];
    const shares = (['worker', 'broker', 'database'] as const).map((who) => {
      const seconds = rounds.map(({ cpu }) => cpu[who]);
      return median(seconds).toFixed(3);
    });
    const rates = rounds.map(({ perSecond }) => perSecond);
    const totals = rounds.map(({ cpu }) => totalOf(cpu));
    return [[titles[part], spread(rates, 0), ...shares, spread(totals, 3)]];
  });
  const latencyRow =
    (who: string) =>
    ([rate, rounds]: [string, Latency[]]) => {
      const middles = rounds.map(({ p50 }) => p50);
      const tails = rounds.map(({ p99 }) => p99);
      return [who, rate, spread(middles, 1), spread(tails, 1)];
    };
  const latencies = [
    ...Object.entries(latency.worker).map(latencyRow(titles.D)),
    ...Object.entries(latency.idiom).map(latencyRow(titles.C)),
  ];
  const listed = (values: Record<string, number[]>, digits: number) =>
    Object.entries(values).map(([name, rounds]) => [name, spread(rounds, digits)]);
  const held = Object.entries(results.scaling).map(([name, rates]) => [name, spread(rates, 0)]);
  const grown = Object.entries(results.growth).map(([size, rounds]) => {
    const rates = rounds.map(({ perSecond }) => perSecond);
    const cpu = rounds.map((measured) => measured.cpu.database);
    return [count(Number(size)), spread(cpu, 4), spread(rates, 0)];
  });
  const load = `load before ${machine.loadBefore.toFixed(1)}, after ${machine.loadAfter.toFixed(1)}`;
  const run = results.isQuick ? 'quick run' : 'full run';
  return [
    `${results.at} UTC, ${run}, Node ${machine.node}, ${machine.cores} cores, ${load}; median (lowest–highest)`,
    table(['drain', 'messages/s', 'CPU s per 1,000: worker', 'broker', 'database', 'total'], rows),
    table(['ratio', 'value'], listed(ratiosOf(results), 2)),
    table(['latency', 'offered/s', 'p50 ms', 'p99 ms'], latencies),
    table(['F customers, workers of half a core', 'messages/s'], held),
    table(['G calls stored', 'database CPU s per 1,000', 'messages/s'], grown),
    table(['Node alone', 'CPU µs a message'], listed(node, 1)),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
