import type { Outcome } from '../domain/outcome.ts';
import { counted } from '../plural.ts';
import type { ReplayLetter } from '../store/replays/letters.ts';
import type { ReplayRow } from '../store/replays/read.ts';
import type { DryRunSums } from '../store/replays/sums.ts';
import { badge, type Column, notice, table } from './components.ts';
import { type Html, html } from './html.ts';
import {
  chargedColumn,
  customerColumn,
  idColumn,
  lettersList,
  orderFacts,
  progressBar,
  type ReplayDetail,
  replayButton,
  replyColumn,
  stoppingNotice,
  uniqueidColumn,
} from './replay-parts.ts';
import { type ConsoleResponse, csrfField } from './respond.ts';
import type { Session } from './session.ts';
import { customerLink, money } from './values.ts';

/** A dry run while it is under way. */
export function dryRunProgressPage(row: ReplayRow, session: Session): ConsoleResponse {
  return {
    kind: 'page',
    title: `Dry run ${row.id}`,
    body: html`<p>${badge(row.state)} Each call is stored in a transaction that is rolled back: nothing changes.</p>
${stoppingNotice(row)}
${progressBar(row, [
  ['done', 'tried'],
  ['rate', 'per second'],
  ['left', 'left'],
])}
${row.stop_by === null && replayButton(row, 'stop', 'Stop the dry run', session)}
${orderFacts(row)}`,
  };
}

/** What a dry run found, and the way to replay exactly that. */
export function dryRunPage(detail: ReplayDetail, sums: DryRunSums, session: Session): ConsoleResponse {
  return { kind: 'page', title: `Dry run ${detail.row.id}`, body: result(detail, sums, session) };
}

function result(detail: ReplayDetail, sums: DryRunSums, session: Session): Html {
  const { row } = detail;
  return html`<p>${badge(row.state)} This is what a replay would do. Nothing was changed.</p>
${row.problem !== null && notice('problem', html`<p>${row.problem}</p>`)}
${row.state === 'interrupted' && notice('problem', html`<p>The process that ran it has gone. Make another dry run.</p>`)}
<ul class="numbers">${sums.outcomes.map(({ becomes, count }) => html`<li><b>${count}</b> ${wordsOf(becomes)}</li>`)}${
    row.skipped > 0 && html`<li><b>${row.skipped}</b> left out</li>`
  }</ul>
${warnings(sums, detail)}
${replayForm(row, sums, session)}
${charges(sums, detail.systemCurrency)}
${orderFacts(row)}
${leftOut(sums)}
${lettersList(detail, ['would stay dead', 'uninvoiced', 'skipped'], columnsOf(detail.systemCurrency))}`;
}

const WORDS: Record<Outcome['kind'], string> = {
  accepted: 'would be stored and charged',
  booked: 'would be booked',
  duplicate: 'stored already: would be resolved, nothing charged',
  validated: 'would only be checked, because it asks for validation',
  rejected: 'would be rejected again',
  'unknown call': 'would be refused: no such call is stored',
  conflict: 'would be a conflict with the stored call',
  unauthenticated: 'would be refused: sender unknown',
  forbidden: 'would be refused: sender may not submit it',
  superseded: 'replayed again by someone else',
  failed: 'would fail',
};

function wordsOf(becomes: string): string {
  return becomes in WORDS ? WORDS[becomes as Outcome['kind']] : becomes;
}

/** What an operator must not overlook. */
function warnings(
  { staying_dead, uninvoiced, unverified }: DryRunSums,
  { row, systemCurrency }: ReplayDetail,
): Html {
  const amounts = (sums: readonly { currency: string; amount: string }[]) =>
    sums.map(
      ({ currency, amount }, index) => html`${index > 0 && ', '}${money(amount, currency, systemCurrency)}`,
    );
  const calls = (sums: readonly { calls: number }[]) => sums.reduce((sum, { calls }) => sum + calls, 0);
  return html`${
    staying_dead > 0 &&
    notice(
      'warning',
      html`<p><b>${counted(staying_dead, 'call')} would stay dead.</b> <a href="/replays/${row.id}?only=would+stay+dead#calls">See which, and why</a>.</p>`,
    )
  }${
    uninvoiced.length > 0 &&
    notice(
      'warning',
      html`<p><b>${counted(calls(uninvoiced), 'call')} would be charged and put on no invoice</b> (${amounts(uninvoiced.map(({ currency, billed }) => ({ currency, amount: billed })))}):
the customer has no open invoice for the time of the call. Where the invoice is still to come, replay then.
<a href="/replays/${row.id}?only=uninvoiced#calls">See which</a>.</p>`,
    )
  }${
    unverified.length > 0 &&
    notice(
      'warning',
      html`<p><b>${counted(calls(unverified), 'call')} of senders that are not verified</b> (${amounts(unverified.map(({ currency, charged }) => ({ currency, amount: charged })))}):
whoever sent them only claims to be who they say. They would be stored in your name.</p>`,
    )
  }`;
}

/** Replays exactly what was tried. */
function replayForm(row: ReplayRow, { outcomes }: DryRunSums, session: Session): Html | false {
  if (session.role !== 'operator' || row.state !== 'tried') return false;
  const tried = outcomes.reduce((sum, { count }) => sum + count, 0);
  if (tried === 0) return notice('info', html`<p>There is nothing to replay.</p>`);
  if (!row.startable)
    return notice(
      'info',
      html`<p>This dry run is too old to be replayed: much may have changed since. Make another.</p>`,
    );
  return html`<form class="act" method="post" action="/replays/${row.id}/start">${csrfField(session)}
<label>Calls per second <input name="rate" inputmode="decimal" placeholder="no limit" size="10"></label>
<label>Stop when more are refused than (%) <input name="abort_over" inputmode="decimal" placeholder="never" size="10"></label>
<button class="main">Replay ${tried === 1 ? 'this call' : `these ${tried}`}</button></form>
<p class="muted">Only what was tried is sent. A dead letter that changes before it is sent is left out.</p>`;
}

function charges({ customers, invoices }: DryRunSums, systemCurrency: string): Html {
  return html`${
    customers.length > 0 &&
    html`<h2>Charges by customer</h2>
${table(
  'Charges by customer',
  [
    {
      name: 'customer',
      kind: 'head',
      of: ({ customer, customer_name }) => customerLink(customer, customer_name),
    },
    { name: 'calls', kind: 'number', of: ({ calls }) => calls },
    {
      name: 'amount',
      kind: 'number',
      of: ({ charged, currency }) => money(charged, currency, systemCurrency),
    },
  ],
  customers,
)}`
  }${
    invoices.length > 0 &&
    html`<h2>By invoice</h2>
${table(
  'By invoice',
  [
    { name: 'invoice', kind: 'head', of: ({ invoice }) => invoice },
    { name: 'calls', kind: 'number', of: ({ calls }) => calls },
    { name: 'gains', kind: 'number', of: ({ billed, currency }) => money(billed, currency, systemCurrency) },
  ],
  invoices,
)}`
  }`;
}

function leftOut({ skipped }: DryRunSums): Html | false {
  return (
    skipped.length > 0 &&
    html`<h2>Left out</h2><ul>${skipped.map(({ why, count }) => html`<li>${count}: ${why}</li>`)}</ul>`
  );
}

function columnsOf(systemCurrency: string): Column<ReplayLetter>[] {
  return [
    idColumn,
    uniqueidColumn,
    { name: 'would be', of: ({ becomes, skipped }) => (skipped === null ? becomes : 'left out') },
    replyColumn,
    customerColumn,
    chargedColumn(systemCurrency),
    { name: 'invoice', of: ({ invoice, uninvoiced }) => (uninvoiced ? 'none' : invoice) },
  ];
}
