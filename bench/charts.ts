import type { Latency } from './latency.ts';
import { median } from './numbers.ts';
import { type DrainPart, drainParts, drainTitles, type Results } from './results.ts';

interface Bar {
  label: string;
  /** Lengths of the sections of the bar. */
  parts: number[];
}

interface Chart {
  title: string;
  bars: Bar[];
  /** Names of the sections, if there are several. */
  legend?: string[];
  digits?: number;
}

const WIDTH = 860;
const LABEL_WIDTH = 250;
const BAR_HEIGHT = 18;
const ROW = 26;
const HEAD = 46;
const GAP = 30;
const COLOURS = ['#2f6f9f', '#e08e45', '#6a9f58'];

/** The medians of a run as bar charts (SVG). Parts that were not run are left out. */
export function chartsOf(results: Results): string {
  const charts = chartList(results).filter(({ bars }) => bars.length > 0);
  let y = 0;
  const drawn = charts.map((chart) => {
    const part = drawChart(chart, y);
    y += HEAD + chart.bars.length * ROW + GAP;
    return part;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" font-family="sans-serif" font-size="13" role="img" aria-label="Benchmark results">`,
    '<title>Benchmark results</title>',
    `<rect width="${WIDTH}" height="${y}" fill="white"/>`,
    ...drawn,
    '</svg>\n',
  ].join('\n');
}

function chartList({ drains, firstMinute, latency, scaling, growth, node, memory }: Results): Chart[] {
  const measured = drainParts.filter((part) => drains[part].length > 0);
  const bars = (values: Record<string, number[]>): Bar[] =>
    Object.entries(values).map(([label, rounds]) => ({ label, parts: [median(rounds)] }));
  const rates = measured.map((part) => ({
    label: drainTitles[part],
    parts: [median(drains[part].map(({ perSecond }) => perSecond))],
  }));
  const who = ['worker', 'broker', 'database'] as const;
  const cpu = (part: DrainPart) =>
    who.map((one) => 1000 * median(drains[part].map((round) => round.cpu[one])));
  const latencies = (worker: Record<string, Latency[]>): Bar[] =>
    Object.entries(worker).map(([rate, rounds]) => {
      const middle = median(rounds.map(({ p50 }) => p50));
      return { label: `worker at ${rate}/s`, parts: [middle, median(rounds.map(({ p99 }) => p99)) - middle] };
    });
  return [
    { title: 'Messages per second, draining a full queue', bars: rates },
    {
      title: 'CPU µs per message (the usual idiom is off the scale)',
      bars: measured
        .filter((part) => part !== 'idiom')
        .map((part) => ({ label: drainTitles[part], parts: cpu(part) })),
      legend: [...who],
      digits: 1,
    },
    {
      title: 'Latency in the first minute, ms',
      bars: latencies(firstMinute.worker),
      legend: ['p50', 'up to p99'],
      digits: 1,
    },
    { title: 'Latency later, ms', bars: latencies(latency.worker), legend: ['p50', 'up to p99'], digits: 1 },
    { title: 'Messages per second of workers held to half a core each, or a quarter', bars: bars(scaling) },
    {
      title: 'Database CPU µs per message, by calls stored',
      bars: Object.entries(growth).map(([size, rounds]) => ({
        label: Number(size).toLocaleString('en-US'),
        parts: [1000 * median(rounds.map((round) => round.cpu.database))],
      })),
      digits: 1,
    },
    {
      title: 'Memory of the worker on a backlog, MiB',
      bars: memory.length === 0 ? [] : tenths(memory),
    },
    { title: 'Node alone, CPU µs per message', bars: bars(node), digits: 1 },
  ];
}

/** The highest value in each tenth of the time. */
function tenths(samples: readonly number[]): Bar[] {
  const length = Math.ceil(samples.length / 10);
  return Array.from({ length: Math.ceil(samples.length / length) }, (_, index) => ({
    label: `${index * 10}–${index * 10 + 10} % of the time`,
    parts: [Math.max(...samples.slice(index * length, (index + 1) * length))],
  }));
}

function drawChart({ title, bars, legend, digits = 0 }: Chart, top: number): string {
  const sum = ({ parts }: Bar) => parts.reduce((total, part) => total + part, 0);
  const scale = (WIDTH - LABEL_WIDTH - 110) / Math.max(...bars.map(sum));
  const keys = (legend ?? []).map(
    (name, index) =>
      `<rect x="${LABEL_WIDTH + index * 110}" y="${top + 28}" width="10" height="10" fill="${COLOURS[index]}"/>` +
      `<text x="${LABEL_WIDTH + index * 110 + 15}" y="${top + 38}">${name}</text>`,
  );
  const rows = bars.map((bar, index) => {
    const y = top + HEAD + index * ROW;
    let x = LABEL_WIDTH;
    const rects = bar.parts.map((part, at) => {
      const rect = `<rect x="${x.toFixed(1)}" y="${y}" width="${(part * scale).toFixed(1)}" height="${BAR_HEIGHT}" fill="${COLOURS[at]}"/>`;
      x += part * scale;
      return rect;
    });
    const total = sum(bar).toLocaleString('en-US', {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    return [
      `<text x="${LABEL_WIDTH - 8}" y="${y + 14}" text-anchor="end">${bar.label}</text>`,
      ...rects,
      `<text x="${(x + 6).toFixed(1)}" y="${y + 14}">${total}</text>`,
    ].join('');
  });
  return [
    `<text x="8" y="${top + 20}" font-weight="bold" font-size="15">${title}</text>`,
    ...keys,
    ...rows,
  ].join('\n');
}
