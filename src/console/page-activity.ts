import { acts } from '../domain/activity.ts';
import type { Activity } from '../store/activity.ts';
import { fieldValue, type Html, html } from './html.ts';
import type { ConsoleResponse } from './respond.ts';
import { timeAt } from './values.ts';

/** The filters of the page, with the names of the command's options. */
export const activityFilters = ['who', 'act', 'since', 'until'] as const;
export type ActivityFilterText = Partial<Record<(typeof activityFilters)[number], string>>;

export interface ActivityList {
  rows: readonly Activity[];
  /** Where the next page starts; undefined on the last one. */
  before: string | undefined;
  filter: ActivityFilterText;
}

const COLUMNS = ['time (UTC)', 'who', 'what', 'to what', 'why', 'by'];

/** Who did what, the latest first. */
export function activityPage({ rows, before, filter }: ActivityList): ConsoleResponse {
  const more = new URLSearchParams(filter);
  if (before !== undefined) more.set('before', before);
  return {
    kind: 'page',
    title: 'Activity',
    body: html`${filterForm(filter)}
${rows.length === 0 ? html`<p>Nothing was done${Object.keys(filter).length > 0 && ' that matches'}.</p>` : table(rows)}
${before !== undefined && html`<p><a href="/activity?${more.toString()}" rel="next">Earlier</a></p>`}`,
  };
}

function filterForm(filter: ActivityFilterText): Html {
  const text = (name: 'who' | 'since' | 'until', label: string, hint: string) =>
    html`<label>${label} <input name="${name}" value="${fieldValue(filter[name])}" placeholder="${hint}"></label>`;
  return html`<details ${Object.keys(filter).length > 0 && 'open'}><summary>Filter</summary>
<form class="filters" method="get" action="/activity" role="search">
${text('who', 'User', 'alice')}
<label>What <select name="act"><option value="">anything</option>
${acts.map((act) => html`<option ${act === filter.act && 'selected'}>${act}</option>`)}</select></label>
${text('since', 'Since', '2h')} ${text('until', 'Until', '')}
<button class="main">Show</button></form></details>`;
}

function table(rows: readonly Activity[]): Html {
  return html`<div class="scroll"><table id="activity">
<thead><tr>${COLUMNS.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows.map(
    ({ at, who, act, program, detail }) => html`<tr><td data-label="time (UTC)">${timeAt(at)}</td>
<td data-label="who">${who === null ? 'nobody signed in' : html`<a href="/activity?who=${encodeURIComponent(who)}">${who}</a>`}</td>
<td data-label="what">${act}</td><td data-label="to what">${objectOf(detail)}</td>
<td data-label="why">${typeof detail.why === 'string' && detail.why}</td><td data-label="by">${program}</td></tr>`,
  )}</tbody></table></div>`;
}

/** What was done to what: links first, where there is a page, and the rest as name and value. */
function objectOf({ why, ...detail }: Activity['detail']): Html[] {
  const linked = Object.keys(PAGES).filter((name) => name in detail);
  const others = Object.keys(detail).filter((name) => !linked.includes(name));
  return [...linked, ...others]
    .flatMap((name) => partOf(name, detail[name]) ?? [])
    .map((part, index) => (index === 0 ? part : html`; ${part}`));
}

const PAGES: Readonly<Record<string, { path: string; text: (value: string) => string; form: RegExp }>> = {
  dead_letter: { path: '/dead-letters/', text: (id) => `dead letter ${id}`, form: /^\d{1,18}$/ },
  replay: { path: '/replays/', text: (id) => `replay ${id}`, form: /^\d{1,18}$/ },
  uniqueid: { path: '/call?uniqueid=', text: (uniqueid) => `call ${uniqueid}`, form: /./s },
  closed_at: { path: '/discarded?closed_at=', text: () => 'look, or undo', form: /^[\dTZ.:-]{27}$/ },
};

function partOf(name: string, value: unknown): Html | null {
  if (value === null || value === undefined) return null;
  const word = name.replaceAll('_', ' ');
  const page = PAGES[name];
  if (page?.form.test(String(value)))
    return html`<a href="${page.path}${encodeURIComponent(String(value))}">${page.text(String(value))}</a>`;
  if (typeof value !== 'object') return html`${word}: ${String(value)}`;
  const parts = Object.entries(value).map(([key, part]) =>
    Array.isArray(value) ? textOf(part) : `${key} ${textOf(part)}`,
  );
  return parts.length === 0 ? null : html`${word}: ${parts.join(', ')}`;
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join(' or ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
