import plur from 'plur';
import type { Overview } from '../store/overview.ts';
import { type Html, html } from './html.ts';
import type { ConsoleResponse } from './respond.ts';

/** Results per minute, and open dead letters by reason and machine over time. */
export function overviewPage({ stored, died, statuses, byReason, byMachine }: Overview): ConsoleResponse {
  const last = (counts: readonly { count: number }[]) => counts.at(-2)?.count ?? 0;
  return {
    kind: 'page',
    title: 'Overview',
    script: true,
    body: html`<div data-live>
<ul class="numbers">
<li><b class="resolved">${last(stored)}</b> ${plur('call', last(stored))} stored in the last full minute</li>
<li><b class="dead">${last(died)}</b> ${plur('dead letter', last(died))} added or repeated in the last full minute</li>
${statuses.map(
  ({ status, count }) =>
    html`<li><b>${count}</b> <a href="/dead-letters?status=${status}">${status}</a></li>`,
)}
</ul>
<h2>Stored calls per minute, last hour</h2>
${bars(
  stored.map(({ count }) => count),
  'Stored calls per minute',
  '',
)}
<h2>Dead letters added or repeated per minute, last hour</h2>
${bars(
  died.map(({ count }) => count),
  'Dead letters added or repeated per minute',
  'bad',
)}
${table('Open dead letters by reason, last 24 hours', 'reason', byReason)}
${table('Open dead letters by machine, last 24 hours', 'machine', byMachine)}
</div>`,
  };
}

function table(title: string, field: string, rows: readonly { name: string; hours: number[] }[]): Html {
  if (rows.length === 0) return html`<h2>${title}</h2><p>None.</p>`;
  return html`<h2>${title}</h2>
<div class="scroll"><table>
<thead><tr><th scope="col">${field}</th><th scope="col">dead letters</th><th scope="col">per hour</th></tr></thead>
<tbody>${rows.map(
    ({
      name,
      hours,
    }) => html`<tr><th scope="row"><a href="/dead-letters?status=dead&amp;since=24h&amp;${field}=${encodeURIComponent(name)}">${name}</a></th>
<td class="number">${hours.reduce((sum, count) => sum + count, 0)}</td><td>${bars(hours, `${name} per hour`, 'bad')}</td></tr>`,
  )}</tbody></table></div>`;
}

/** A bar chart without script or style; its label has the numbers. */
function bars(counts: readonly number[], label: string, kind: string): Html {
  const most = Math.max(1, ...counts);
  return html`<svg class="${kind}" role="img" aria-label="${label}: maximum ${Math.max(0, ...counts)}, now ${counts.at(-1) ?? 0}" viewBox="0 0 ${counts.length * 10} 100" preserveAspectRatio="none">
${counts.map((count, index) => {
  const height = Math.round((count / most) * 98) + (count > 0 ? 2 : 0);
  return html`<rect x="${index * 10}" y="${100 - height}" width="8" height="${height}"></rect>`;
})}</svg>`;
}
