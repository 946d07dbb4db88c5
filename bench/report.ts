import type { Latency } from './latency.ts';
import { type Cpu, type Measured, totalOf } from './meter.ts';
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
  /** Share of the messages that are calls to be stored and charged. */
  chargedShare: number;
}

const titles = {
  A: 'A broker alone',
  B: 'B database alone',
  C: 'C the usual idiom',
  D: 'D the worker',
} as const;

/** Steps between the bytes and the settling, and after it. */
const DECODE_TO_REPLY = ['admit, as a whole', 'reply'];

/** The figures that the goals are about, per round and so with a spread. NaN where a part was left out. */
export function ratiosOf({ node, drains, machine, chargedShare }: Results) {
  const { A, B, C, D } = drains;
  const nodeSeconds = DECODE_TO_REPLY.reduce((sum, step) => sum + median(node[step] ?? []), 0) / 1000;
  const paired = (combine: (index: number, worker: Measured) => number) =>
    D.map((worker, index) => combine(index, worker)).filter(Number.isFinite);
  const parts = (index: number) => totalOrNone(A[index]) + totalOrNone(B[index]) + nodeSeconds;
  return {
    'D / C': paired((index, { perSecond }) => perSecond / (C[index]?.perSecond ?? Number.NaN)),
    'D / (cores / (A + B + Node))': paired(
      (index, { perSecond }) => (perSecond * parts(index)) / 1000 / machine.cores,
    ),
    '(A + B + Node) / CPU of D': paired((index, { cpu }) => parts(index) / totalOf(cpu)),
    'charged CDRs per core-second of D': paired((_, { cpu }) => (1000 * chargedShare) / totalOf(cpu)),
    'charged CDRs per core-second of C': C.map(({ cpu }) => (1000 * chargedShare) / totalOf(cpu)),
  };
}

const totalOrNone = (measured: Measured | undefined) =>
  measured === undefined ? Number.NaN : totalOf(measured.cpu);

/** The whole result as Markdown, as the documents show it. */
export function report(results: Results): string {
  const { machine, node, drains, latency } = results;
  const cpu = (measured: readonly Measured[], who: keyof Cpu) =>
    measured.length === 0 ? '–' : median(measured.map((round) => round.cpu[who])).toFixed(3);
  const rows = Object.entries(titles).flatMap(([part, title]) => {
    const rounds = drains[part as keyof typeof titles];
    if (rounds.length === 0) return [];
    const total = spread(
      rounds.map((round) => totalOf(round.cpu)),
      3,
    );
    const rate = spread(
      rounds.map(({ perSecond }) => perSecond),
      0,
    );
    return [[title, rate, cpu(rounds, 'worker'), cpu(rounds, 'broker'), cpu(rounds, 'database'), total]];
  });
  const latencies = [
    ...Object.entries(latency.worker).map(([rate, rounds]) => ['D the worker', rate, rounds] as const),
    ...Object.entries(latency.idiom).map(([rate, rounds]) => ['C the usual idiom', rate, rounds] as const),
  ].map(([who, rate, rounds]) => [
    who,
    rate,
    spread(
      rounds.map(({ p50 }) => p50),
      1,
    ),
    spread(
      rounds.map(({ p99 }) => p99),
      1,
    ),
  ]);
  const load = `load before ${machine.loadBefore.toFixed(1)}, after ${machine.loadAfter.toFixed(1)}`;
  return [
    `${results.at}, ${results.isQuick ? 'quick, ' : ''}Node ${machine.node}, ${machine.cores} cores, ${load}`,
    table(['', 'messages/s', 'CPU s per 1,000: worker', 'broker', 'database', 'total'], rows),
    table(
      ['ratio', 'value'],
      Object.entries(ratiosOf(results)).map(([name, values]) => [name, spread(values, 2)]),
    ),
    table(['latency', 'offered/s', 'p50 ms', 'p99 ms'], latencies),
    table(
      ['Node alone', 'CPU µs a message'],
      Object.entries(node).map(([name, values]) => [name, spread(values, 1)]),
    ),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
