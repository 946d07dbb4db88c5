import { isCounter, isTime, metricOf, type Page, type Recording } from './recording.ts';

/**
 * One part of a worker's timeline: a recorded phase, which goes on as it ended for as long as this part lasts, or no
 * worker at all. `unreachable` has a target that Prometheus does not reach, `gone` not even that.
 */
export interface Step {
  phase: string;
  seconds: number;
}

/** Gauges that go on growing at the rate at which they were seen to grow. All others stay as they were last. */
const GROWING = new Set([
  'cdr_ingest_open_dead_letters',
  'cdr_ingest_oldest_open_dead_letter_seconds',
  'cdr_ingest_oldest_uninvoiced_seconds',
  'cdr_ingest_queue_messages',
]);
const STARTED = 'process_start_time_seconds';
const UNREACHABLE: readonly Page[] = [{ atS: 0, values: new Map([['up', 0]]) }];

/** What has been said of a series so far: its value on the timeline and the recorded one that it stands for. */
interface Said {
  value: number;
  recorded: number;
}

/** The samples of one worker: for each series its values by seconds since the timeline began. */
export function play(
  recording: Recording,
  steps: readonly Step[],
  everyS: number,
): ReadonlyMap<string, readonly [number, number][]> {
  const samples = new Map<string, [number, number][]>();
  let said = new Map<string, Said>();
  let beginS = 0;
  for (const { phase, seconds } of steps) {
    const pages = phase === 'unreachable' ? UNREACHABLE : (recording.get(phase) ?? []);
    if (pages.length === 0 && phase !== 'gone') throw new Error(`no phase ${phase} is recorded`);
    const saidHere = new Map<string, Said>();
    // A worker that could not be asked meanwhile may be another process, whose counters begin anew.
    const isSameProcess = said.get(STARTED)?.recorded === pages[0]?.values.get(STARTED);
    for (const series of new Set(pages.flatMap(({ values }) => [...values.keys()]))) {
      const at = valuesOf(series, pages, beginS, isSameProcess ? said.get(series) : undefined);
      for (let atS = Math.ceil(beginS / everyS) * everyS; atS < beginS + seconds; atS += everyS) {
        const value = at(atS - beginS);
        if (value === undefined) continue;
        saidHere.set(series, value);
        const row = samples.get(series);
        if (row === undefined) samples.set(series, [[atS, value.value]]);
        else row.push([atS, value.value]);
      }
    }
    said = saidHere;
    beginS += seconds;
  }
  return samples;
}

/** Returns what a series is, so many seconds into its step. `before` is what was said of it last. */
function valuesOf(
  series: string,
  pages: readonly Page[],
  beginS: number,
  before: Said | undefined,
): (intoS: number) => Said | undefined {
  const points = pages.flatMap(({ atS, values }) => {
    const value = values.get(series);
    return value === undefined ? [] : [{ atS, value }];
  });
  const [first, last] = [points[0], points.at(-1)];
  const firstAtS = pages[0]?.atS ?? 0;
  if (first === undefined || last === undefined) return () => undefined;
  // In the last three looks the fault has settled.
  const earlier = points.at(-3) ?? first;
  const slope = last.atS > earlier.atS ? (last.value - earlier.value) / (last.atS - earlier.atS) : 0;
  const perSecond = speedOf(series, slope);
  const shift = shiftOf(series, first.value, firstAtS - beginS, before);
  return (intoS) => {
    const page = pages.findLast(({ atS }) => atS - firstAtS <= intoS);
    const recorded = page?.values.get(series);
    if (page === undefined || recorded === undefined) return undefined;
    // The moment that was told before is the same one still.
    if (isTime(series) && recorded === first.value && recorded === before?.recorded) return before;
    const afterS = page === pages.at(-1) ? intoS - (page.atS - firstAtS) : 0;
    return { value: recorded + shift + afterS * perSecond, recorded };
  };
}

/** How fast a series goes on that has grown at `slope`. A time moves with the clock or stands, but for milliseconds. */
function speedOf(series: string, slope: number): number {
  if (isTime(series)) return slope > 0.5 ? 1 : 0;
  return isCounter(series) || GROWING.has(metricOf(series)) ? Math.max(0, slope) : 0;
}

/** What is added to recorded values, so that counters go on where they were and times are near those of the timeline. */
function shiftOf(series: string, first: number, lateS: number, before: Said | undefined): number {
  if (isTime(series)) return -lateS;
  if (!isCounter(series) || before === undefined) return 0;
  // Less where a phase is played again: nothing was counted in between.
  return before.value + Math.max(0, first - before.recorded) - first;
}
