import type { Series } from '../../dev/stack/prometheus.ts';

/** One panel of a dashboard with the series that its queries gave. */
export interface PanelData {
  title: string;
  unit: string;
  series: { legend: string; values: Series['values'] }[];
}

/** A question, and the panels that answer it. */
export interface RowData {
  question: string;
  panels: readonly PanelData[];
}

const [WIDTH, HEIGHT, COLUMNS, GAP] = [330, 210, 4, 12];
/** Room for the caption, and for each question above its panels. */
const HEADING = 28;
const PLOT = { left: 52, top: 34, right: 12, bottom: 72 };
/** Names in one line of a legend. */
const ABREAST = 3;
const COLOURS = ['#2f6fb3', '#d0642b', '#3a8f4d', '#8a56a8', '#b3922f', '#c23b5a', '#4a4a4a'];

/** Draws a dashboard as one SVG, time from left to right in seconds since the beginning. */
export function drawDashboard(rows: readonly RowData[], caption: string): string {
  let height = HEADING + GAP;
  const drawn = rows.flatMap(({ question, panels }) => {
    const top = height + HEADING;
    height = top + Math.ceil(panels.length / COLUMNS) * (HEIGHT + GAP);
    const heading = `<text x="${GAP}" y="${top - GAP}" font-size="15" font-weight="bold">${escaped(question)}</text>`;
    const places = panels.map((panel, index) => {
      const [x, y] = [index % COLUMNS, Math.floor(index / COLUMNS)];
      return `<g transform="translate(${GAP + x * (WIDTH + GAP)} ${top + y * (HEIGHT + GAP)})">${draw(panel)}</g>`;
    });
    return [heading, ...places];
  });
  const width = COLUMNS * (WIDTH + GAP) + GAP;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">
<title>${escaped(caption)}</title>
<rect width="${width}" height="${height}" fill="#f4f4f2"/>
<text x="${GAP}" y="24" font-size="14">${escaped(caption)}</text>
${drawn.join('\n')}
</svg>
`;
}

function draw({ title, unit, series }: PanelData): string {
  const all = series.flatMap(({ values }) => values).filter(([, value]) => Number.isFinite(value));
  const [from, to] = [Math.min(...all.map(([time]) => time)), Math.max(...all.map(([time]) => time))];
  const top = Math.max(...all.map(([, value]) => value)) * 1.1 || 1;
  const x = (time: number) =>
    PLOT.left + ((time - from) / (to - from || 1)) * (WIDTH - PLOT.left - PLOT.right);
  const y = (value: number) => HEIGHT - PLOT.bottom - (value / top) * (HEIGHT - PLOT.top - PLOT.bottom);
  const grid = [0, 0.5, 1].map((part) => {
    const at = y(top * part).toFixed(1);
    return `<line x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${at}" y2="${at}" stroke="#e4e4e0"/>
<text x="${PLOT.left - 6}" y="${Number(at) + 4}" text-anchor="end" fill="#666">${shown(top * part, unit)}</text>`;
  });
  const lines = series.flatMap(({ values }, index) =>
    unbroken(values).map((run) => {
      const points = run.map(([time, value]) => `${x(time).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
      return `<polyline points="${points}" fill="none" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="1.5"/>`;
    }),
  );
  const legends = series.map(({ legend }, index) => {
    const [column, row] = [index % ABREAST, Math.floor(index / ABREAST)];
    const [left, top] = [PLOT.left + (column * (WIDTH - PLOT.left)) / ABREAST, HEIGHT - 40 + row * 15];
    return `<text x="${left}" y="${top}" fill="${COLOURS[index % COLOURS.length]}">${escaped(legend)}</text>`;
  });
  return `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff" stroke="#ddd"/>
<text x="10" y="20" font-size="13">${escaped(title)}</text>
${grid.join('\n')}
${lines.join('\n')}
<text x="${PLOT.left}" y="${HEIGHT - 56}" fill="#666">0 s</text>
<text x="${WIDTH - PLOT.right}" y="${HEIGHT - 56}" text-anchor="end" fill="#666">${Math.round(to - from)} s</text>
${legends.join('\n')}`;
}

/** The runs between samples that are no number: nothing happened there. */
function unbroken(values: Series['values']): Series['values'][] {
  const runs: Series['values'][] = [[]];
  for (const sample of values) {
    if (Number.isFinite(sample[1])) runs.at(-1)?.push(sample);
    else runs.push([]);
  }
  return runs.filter((run) => run.length > 0);
}

/** A value in the unit that Grafana is told. */
function shown(value: number, unit: string): string {
  if (value === 0) return '0';
  if (unit === 'bytes') return `${Math.round(value / 1024 ** 2)} MiB`;
  if (unit === 'percentunit') return `${Math.round(value * 100)} %`;
  if (unit === 's')
    return value < 1 ? `${Number((value * 1000).toPrecision(2))} ms` : `${value.toPrecision(2)} s`;
  const digits = value >= 100 ? Math.round(value) : Number(value.toPrecision(2));
  return unit === 'reqps' ? `${digits}/s` : String(digits);
}

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
