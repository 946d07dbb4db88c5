/** What Prometheus got from a worker at one time: a value by series, `up` among them. */
export interface Page {
  /** Seconds since the recording began; metrics that are times count from there too. */
  atS: number;
  values: ReadonlyMap<string, number>;
}

/** The pages of each phase of a fault, such as before, fault and after, in their order. */
export type Recording = ReadonlyMap<string, readonly Page[]>;

const NONE = '-';

/** A series whose values only ever grow while its worker lives. */
export function isCounter(series: string): boolean {
  return /_(total|bucket|count|sum)(\{|$)/.test(series);
}

/** A point in time instead of an amount. */
export function isTime(series: string): boolean {
  return /_(timestamp|start_time)_seconds(\{|$)/.test(series);
}

/** The metric of a series. */
export function metricOf(series: string): string {
  return series.replace(/\{.*/, '');
}

/**
 * A line for each phase with its times, then one for each series with its values, phase by phase. Counters that have
 * counted nothing are left out: for a query they are the same as none.
 */
export function toText(recording: Recording): string {
  const phases = [...recording];
  const names = new Set(phases.flatMap(([, pages]) => pages.flatMap(({ values }) => [...values.keys()])));
  const lines = [...names].sort().flatMap((name) => {
    const rows = phases.map(([, pages]) => pages.map(({ values }) => values.get(name)));
    if (isCounter(name) && rows.flat().every((value) => !value)) return [];
    return [`${name} ${rows.map((row) => row.map(shown).join(' ')).join(' | ')}`];
  });
  const times = phases.map(([phase, pages]) => `# ${phase} ${pages.map(({ atS }) => shown(atS)).join(' ')}`);
  return `${[...times, ...lines].join('\n')}\n`;
}

const shown = (value: number | undefined) =>
  value === undefined ? NONE : String(Number(value.toPrecision(9)));

export function fromText(text: string): Recording {
  const lines = text.trimEnd().split('\n');
  const phases = lines.flatMap((line) => {
    const [, phase = '', times = ''] = /^# (\S+) (.*)$/.exec(line) ?? [];
    return phase === '' ? [] : [{ phase, pages: times.split(' ').map((time) => blank(Number(time))) }];
  });
  for (const line of lines.filter((line) => !line.startsWith('#'))) {
    const [, series = '', rest = ''] = /^(\S+?(?:\{.*\})?) (.*)$/.exec(line) ?? [];
    rest.split(' | ').forEach((row, index) => {
      row.split(' ').forEach((value, place) => {
        if (value !== NONE) phases[index]?.pages[place]?.values.set(series, Number(value));
      });
    });
  }
  return new Map(phases.map(({ phase, pages }) => [phase, pages]));
}

const blank = (atS: number) => ({ atS, values: new Map<string, number>() });
