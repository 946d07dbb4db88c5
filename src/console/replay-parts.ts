import { counted } from '../plural.ts';
import { type LettersOnly, lettersOnly, type ReplayLetter } from '../store/replays/letters.ts';
import type { ReplayRow } from '../store/replays/read.ts';
import { type Column, empty, facts, notice, pagination, table } from './components.ts';
import { type Html, html } from './html.ts';
import { csrfField } from './respond.ts';
import type { Session } from './session.ts';
import { customerLink, money, timeAt } from './values.ts';

/** One replay or dry run, with a page of its letters. */
export interface ReplayDetail {
  row: ReplayRow;
  letters: readonly ReplayLetter[];
  /** Which of them are shown; all if it is undefined. */
  only: LettersOnly | undefined;
  /** Position after which they start, 0 for the first page. */
  after: number;
  /** Where the next page starts; undefined on the last one. */
  next: number | undefined;
  systemCurrency: string;
}

/** The numbers of its progress, for its page and for the script that follows it. */
export function progressOf(row: ReplayRow) {
  const { kind, selected, tried, sent, resolved, refused, taken_over, skipped, state } = row;
  const done = kind === 'dry run' ? tried + skipped : resolved + refused + taken_over + skipped;
  return { selected, done, sent, resolved, refused, skipped, ended: !isUnderWay(state) };
}

export function isUnderWay(state: ReplayRow['state']): boolean {
  return state === 'trying' || state === 'running';
}

/** Whose it is, what it is about, and within which limits. */
export function orderFacts(row: ReplayRow): Html {
  const { operator, program, created_at, started_at, ended_at, why, filter, correction, selected } = row;
  return facts([
    ['By', `${operator}, ${program === 'console' ? 'in the console' : 'by command'}`],
    ...(why === null ? [] : ([['Why', why]] as const)),
    ['Selected', `${counted(selected, 'dead letter')}${selectionWords(filter)}`],
    ...correctionWords(correction).map((words, index) => [index === 0 ? 'Corrects' : '', words] as const),
    ['Asked for', timeAt(created_at)],
    ...(started_at === null ? [] : ([['Started', timeAt(started_at)]] as const)),
    ...(ended_at === null ? [] : ([['Ended', timeAt(ended_at)]] as const)),
    ...limitsOf(row),
  ]);
}

/** The parts of a selection whose names are not those of the lists. */
const NAMES: Readonly<Record<string, string>> = {
  reasons: 'reason',
  statuses: 'status',
  answerKey: 'refused for',
};

function selectionWords(filter: ReplayRow['filter']): string {
  const parts = Object.entries(filter).flatMap(([name, value]) =>
    value === null || value === ''
      ? []
      : [`${NAMES[name] ?? name} ${Array.isArray(value) ? value.join(' or ') : value}`],
  );
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

/** What it corrects in each dead letter, a line each. */
function correctionWords(correction: ReplayRow['correction']): string[] {
  const {
    set = {},
    rename = {},
    unset = [],
    body,
  } = correction as {
    set?: Record<string, string>;
    rename?: Record<string, string>;
    unset?: string[];
    body?: string;
  };
  return [
    ...Object.entries(set).map(([name, value]) => `sets ${name} to ${value === '' ? 'nothing' : value}`),
    ...Object.entries(rename).map(([from, to]) => `renames ${from} to ${to}`),
    ...unset.map((name) => `takes ${name} out`),
    ...(body === undefined ? [] : ['replaces the body']),
  ];
}

function limitsOf({ rate, abort_over }: ReplayRow): (readonly [string, string])[] {
  return [
    ...(rate === null ? [] : ([['Rate', `at most ${rate} calls per second`]] as const)),
    ...(abort_over === null ? [] : ([['Stops', `when more than ${abort_over} % are refused`]] as const)),
  ];
}

/** The bar and the numbers under it. While it is under way the page's script renews them. */
export function progressBar(
  row: ReplayRow,
  numbers: readonly (readonly [name: string, words: string])[],
): Html {
  const values: Record<string, unknown> = { rate: '–', left: '–', ...progressOf(row) };
  const { selected, done, ended } = progressOf(row);
  return html`<div ${!ended && html`data-replay="/replays/${row.id}.json"`}>
<progress max="${Math.max(1, selected)}" value="${done}" aria-label="${done} of ${selected} done"></progress>
<ul class="numbers">${numbers.map(([name, words]) => html`<li><b data-value="${name}">${String(values[name])}</b> ${words}</li>`)}</ul>
<p role="status" class="unseen" data-said></p>
${!ended && html`<noscript><p>Reload this page to see how far it is.</p></noscript>`}</div>`;
}

/** A button that acts on a replay. */
export function replayButton(
  { id }: ReplayRow,
  act: 'stop' | 'resume',
  label: string,
  session: Session,
): Html | false {
  return (
    session.role === 'operator' &&
    html`<form class="act" method="post" action="/replays/${id}/${act}">${csrfField(session)}
<button class="${act === 'stop' ? 'danger' : 'main'}">${label}</button></form>`
  );
}

/** Who asked it to stop, while it is still stopping. */
export function stoppingNotice({ state, stop_by }: ReplayRow): Html | false {
  return (
    isUnderWay(state) &&
    stop_by !== null &&
    notice('info', html`<p>${stop_by} has asked it to stop. What has been sent is being finished.</p>`)
  );
}

/** Links to the parts of a list of letters that are worth a look. */
export function lettersList(
  { row, letters, only, after, next }: ReplayDetail,
  parts: readonly LettersOnly[],
  columns: readonly Column<ReplayLetter>[],
): Html {
  const linkTo = (part: LettersOnly | undefined, from = 0) => {
    const query = new URLSearchParams();
    query.set('only', part ?? 'all');
    if (from > 0) query.set('after', String(from));
    return `/replays/${row.id}?${query}#calls`;
  };
  const partLink = (part: LettersOnly | undefined) =>
    html`<li><a href="${linkTo(part)}" ${part === only && html`aria-current="true"`}>${part ?? 'all'}</a></li>`;
  return html`<h2 id="calls">Calls</h2>
<ul class="sorts" aria-label="Which calls are shown">${[undefined, ...parts].map(partLink)}</ul>
${letters.length === 0 ? empty('None.') : table('Calls', columns, letters)}
${pagination(after === 0 ? undefined : linkTo(only), next === undefined ? undefined : linkTo(only, next))}`;
}

/** Columns that dry runs and replays have in common. */
export const idColumn: Column<ReplayLetter> = {
  name: 'id',
  kind: 'head',
  of: ({ id }) => html`<a href="/dead-letters/${id}">${id}</a>`,
};
export const uniqueidColumn: Column<ReplayLetter> = { name: 'uniqueid', of: ({ uniqueid }) => uniqueid };
export const replyColumn: Column<ReplayLetter> = {
  name: 'reply',
  kind: 'text',
  of: ({ skipped, responses }) =>
    skipped ??
    responses.map(({ code, key, message }) => `${code} ${key === '' ? '' : `${key}: `}${message}`).join('; '),
};
export const customerColumn: Column<ReplayLetter> = {
  name: 'customer',
  of: ({ customer, customer_name }) => customerLink(customer, customer_name),
};

export function chargedColumn(systemCurrency: string): Column<ReplayLetter> {
  return {
    name: 'charged',
    kind: 'number',
    of: ({ charged, currency }) => money(charged, currency, systemCurrency),
  };
}

/** What a page may be asked to show only; undefined for all, and for anything else. */
export function lettersOnlyOf(text: string | null): LettersOnly | undefined {
  return lettersOnly.find((only) => only === text);
}
