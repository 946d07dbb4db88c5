import type { Abuse, Honest } from './abuse.ts';
import { goalRows } from './goals.ts';
import type { Latency } from './latency.ts';
import { type Measured, totalOf } from './meter.ts';
import { median, spread } from './numbers.ts';
import { ratiosOf } from './ratios.ts';
import type { ReplayRates } from './replay.ts';

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
  replays: ReplayRates[];
  /** Resident MiB of the worker on a backlog, four times a second. */
  memory: number[];
  abuse: Abuse[];
  /** Share of the messages that are calls to be stored and charged. */
  chargedShare: number;
}

/** How tables and charts call the parts that drain a queue or fill a database. */
export const titles = {
  A: 'A broker alone',
  B: 'B database alone',
  C: 'C the usual idiom',
  D: 'D the worker',
} as const;

export const partNames = ['A', 'B', 'C', 'D'] as const;

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
  const ratios = Object.values(ratiosOf(results))
    .filter(({ values }) => values.length > 0)
    .map(({ name, values }) => [name, spread(values, 2)]);
  const held = Object.entries(results.scaling).map(([name, rates]) => [name, spread(rates, 0)]);
  const grown = Object.entries(results.growth).map(([size, rounds]) => {
    const rates = rounds.map(({ perSecond }) => perSecond);
    const cpu = rounds.map((measured) => measured.cpu.database);
    return [Number(size).toLocaleString('en-US'), spread(cpu, 4), spread(rates, 0)];
  });
  const load = `load before ${machine.loadBefore.toFixed(1)}, after ${machine.loadAfter.toFixed(1)}`;
  const run = results.isQuick ? 'quick run' : 'full run';
  return [
    `${results.at} UTC, ${run}, Node ${machine.node}, ${machine.cores} cores, ${load}; median (lowest–highest)`,
    table(['drain', 'messages/s', 'CPU s per 1,000: worker', 'broker', 'database', 'total'], rows),
    table(['goal', 'goal is', 'moonshot', 'this run', ''], goalRows(results)),
    table(['ratio', 'value'], ratios),
    table(['latency', 'offered/s', 'p50 ms', 'p99 ms'], latencies),
    table(['F customers, workers of half a core if not said otherwise', 'messages/s'], held),
    table(['G calls stored', 'database CPU s per 1,000', 'messages/s'], grown),
    table(['Node alone', 'CPU µs a message'], listed(node, 1)),
    abuseTable(results.abuse),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** Honest calls beside each storm: what docs/reliability.md shows. */
export function abuseTable(rows: readonly Abuse[]): string {
  const milliseconds = (value: number | null) => (value === null ? 'none' : value.toFixed(1));
  const share = ({ sent, answered }: Honest) => `${answered} of ${sent}`;
  return table(
    ['storm', 'answered', 'p50 ms', 'p99 ms', 'p99 before it', 'p99 ratio', 'worker, highest MiB'],
    rows.map(({ name, quiet, beside, peakMib }) => [
      name,
      share(beside),
      milliseconds(beside.p50),
      milliseconds(beside.p99),
      milliseconds(quiet.p99),
      beside.p99 === null || quiet.p99 === null ? 'none' : (beside.p99 / quiet.p99).toFixed(1),
      peakMib.toFixed(0),
    ]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
