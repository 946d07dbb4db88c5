import plur from 'plur';
import { type Html, html } from './html.ts';
import { grouped } from './values.ts';

/** One row of bars: what is counted, and its counts from the earliest to the latest; null for one that is not known yet. */
export interface Series {
  /** In the singular: "call". */
  noun: string;
  /** What happened to it: "stored". */
  did: string;
  /** Drawn in the colour of what is wrong. */
  isBad: boolean;
  counts: readonly (number | null)[];
}

export interface Chart {
  /** What a bar stands for. */
  unit: 'minute' | 'hour';
  at: readonly Date[];
  series: readonly Series[];
}

/** Labels below the bars, each at the first bar of its part. */
const PARTS = 4;
const WIDTH = 10;
const HEIGHT = 100;

/**
 * Bars over time: one row for each series, with a scale of its own. A slider goes from bar to bar by keyboard or finger, and a
 * table below has every number.
 */
export function chart({ unit, at, series }: Chart): Html {
  const texts = at.map((_, index) => textAt({ unit, at, series }, index));
  return html`<figure class="chart" data-chart>
${series.map((one) => panel(one, unit, texts))}
<div class="chart-times" aria-hidden="true">${Array.from({ length: PARTS }, (_, part) => {
    const time = at[Math.floor((part * at.length) / PARTS)];
    return html`<span>${time === undefined ? '' : clock(time)}</span>`;
  })}</div>
<div class="chart-reader" data-chart-reader hidden>
<input type="range" min="0" max="${at.length - 1}" value="${at.length - 1}" step="1" aria-label="${unit === 'minute' ? 'Minute' : 'Hour'} of the chart">
<output></output>
</div>
<details><summary>The numbers as a table</summary>${table({ unit, at, series })}</details>
</figure>`;
}

function panel({ noun, did, isBad, counts }: Series, unit: Chart['unit'], texts: readonly string[]): Html {
  const known = counts.filter((count) => count !== null);
  const top = roundTop(Math.max(0, ...known));
  // The last one is still being counted.
  const latest = counts.at(-2) ?? 0;
  const label = `${grouped(latest)} ${plur(noun, latest)} ${did} in the last full ${unit}, ${grouped(Math.max(0, ...known))} at most`;
  return html`<figcaption>${capital(plur(noun, 2))} ${did} by ${unit} (UTC)</figcaption>
<div class="chart-row">
<div class="chart-scale" aria-hidden="true"><span>${grouped(top)}</span><span>${grouped(top / 2)}</span><span>0</span></div>
<svg class="${isBad ? 'bars bad' : 'bars'}" role="img" aria-label="${label}" viewBox="0 0 ${counts.length * WIDTH} ${HEIGHT}" preserveAspectRatio="none">
<path class="grid" d="M0 0H${counts.length * WIDTH}M0 ${HEIGHT / 2}H${counts.length * WIDTH}"></path>
${counts.map((count, index) => {
  const height = count === null ? 0 : (count / top) * HEIGHT;
  // Few among many are still to be seen.
  const shown = count === null || count === 0 ? 0 : Math.max(2, Math.round(height));
  return html`<g><title>${texts[index]}</title><rect class="whole" x="${index * WIDTH}" y="0" width="${WIDTH}" height="${HEIGHT}"></rect><rect x="${index * WIDTH + 1}" y="${HEIGHT - shown}" width="${WIDTH - 2}" height="${shown}"></rect></g>`;
})}</svg>
</div>`;
}

function table({ unit, at, series }: Chart): Html {
  return html`<div class="chart-table" tabindex="0" role="region" aria-label="The numbers of the chart"><table>
<thead><tr><th scope="col">${unit} (UTC)</th>${series.map(({ noun, did }) => html`<th scope="col" class="number">${plur(noun, 2)} ${did}</th>`)}</tr></thead>
<tbody>${at
    .map(
      (time, index) =>
        html`<tr><th scope="row"><time datetime="${time.toISOString()}">${clock(time)}</time></th>${series.map(
          ({ counts }) => html`<td class="number">${numberOf(counts[index] ?? null)}</td>`,
        )}</tr>`,
    )
    .reverse()}</tbody></table></div>`;
}

/** "06:41 UTC: 1,204 calls stored, 3 dead letters" */
function textAt({ at, series }: Chart, index: number): string {
  const time = at[index];
  const parts = series.map(({ noun, did, counts }) => {
    const count = counts[index] ?? null;
    const nouns = plur(noun, count ?? 2);
    return count === null ? `${nouns} ${did} not counted yet` : `${grouped(count)} ${nouns} ${did}`;
  });
  return `${time === undefined ? '' : clock(time)} UTC: ${parts.join(', ')}`;
}

const numberOf = (count: number | null) => (count === null ? 'not counted yet' : grouped(count));

const clock = (time: Date) => time.toISOString().slice(11, 16);

const capital = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

/** The top of a scale: even, so that its middle is whole, and 2, 4 or 10 times a power of ten. */
function roundTop(most: number): number {
  for (let power = 1; ; power *= 10)
    for (const step of [2, 4, 10]) if (step * power >= most) return step * power;
}
