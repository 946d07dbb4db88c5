import type { Abuse, Honest } from './abuse.ts';
import { goalRows } from './goals.ts';
import type { Latency } from './latency.ts';
import { totalOf } from './meter.ts';
import { median, spread } from './numbers.ts';
import { ratiosOf } from './ratios.ts';
import { drainParts, drainTitles, type LatencyByRate, type Results } from './results.ts';

/** All results as Markdown, for docs/performance.md. */
export function report(results: Results): string {
  const { machine, node, drains, starts, firstMinute, latency } = results;
  const rows = drainParts.flatMap((part) => {
    const rounds = drains[part];
    if (rounds.length === 0) return [];
    const shares = (['worker', 'broker', 'database'] as const).map((who) => {
      const seconds = rounds.map(({ cpu }) => cpu[who]);
      return median(seconds).toFixed(3);
    });
    const rates = rounds.map(({ perSecond }) => perSecond);
    const totals = rounds.map(({ cpu }) => totalOf(cpu));
    return [[drainTitles[part], spread(rates, 0), ...shares, spread(totals, 3)]];
  });
  const began = (['idiom', 'worker'] as const).flatMap((who) => {
    const rounds = starts[who];
    if (rounds.length === 0) return [];
    const figures = [
      spread(
        rounds.map(({ whole }) => whole.perSecond),
        0,
      ),
      spread(
        rounds.map(({ consuming }) => consuming),
        2,
      ),
      spread(
        rounds.map(({ full }) => full),
        2,
      ),
    ];
    return [[drainTitles[who], ...figures]];
  });
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
    table(['start', 'messages/s from the first', 's until it consumes', 's to 90 % of its rate'], began),
    table(['latency, first minute', 'offered/s', 'p50 ms', 'p99 ms'], latencyRows(firstMinute)),
    table(['latency, later', 'offered/s', 'p50 ms', 'p99 ms'], latencyRows(latency)),
    table(['scaling: customers, workers of half a core unless noted', 'messages/s'], held),
    table(['growth: calls stored', 'database CPU s per 1,000', 'messages/s'], grown),
    table(['node: step', 'CPU µs per message'], listed(node, 1)),
    abuseTable(results.abuse),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function latencyRows({ worker, idiom }: LatencyByRate): string[][] {
  const rowsOf = (who: string, byRate: Record<string, Latency[]>) =>
    Object.entries(byRate).map(([rate, rounds]) => {
      const middles = rounds.map(({ p50 }) => p50);
      const tails = rounds.map(({ p99 }) => p99);
      return [who, rate, spread(middles, 1), spread(tails, 1)];
    });
  return [...rowsOf(drainTitles.worker, worker), ...rowsOf(drainTitles.idiom, idiom)];
}

/** Honest calls during each storm, for docs/reliability.md. */
export function abuseTable(rows: readonly Abuse[]): string {
  const milliseconds = (value: number | null) => (value === null ? 'none' : value.toFixed(1));
  const share = ({ sent, answered }: Honest) => `${answered} of ${sent}`;
  return table(
    ['storm', 'answered', 'p50 ms', 'p99 ms', 'p99 before it', 'p99 ratio', 'worker, highest MiB'],
    rows.map(({ name, before, during, peakMib }) => [
      name,
      share(during),
      milliseconds(during.p50),
      milliseconds(during.p99),
      milliseconds(before.p99),
      during.p99 === null || before.p99 === null ? 'none' : (during.p99 / before.p99).toFixed(1),
      peakMib.toFixed(0),
    ]),
  );
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
