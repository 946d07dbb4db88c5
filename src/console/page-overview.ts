import plur from 'plur';
import type { HeardState } from '../store/heard/read.ts';
import { isLate } from '../store/heard/read.ts';
import type { OpenMachine, OpenReason } from '../store/overview.ts';
import type { Bucket } from '../store/throughput.ts';
import { agoText } from './ago.ts';
import { chart } from './chart.ts';
import { type Column, empty, table } from './components.ts';
import { type Html, html } from './html.ts';
import { renewal } from './live.ts';
import type { OverviewState, QueueDepths, Unit } from './overview-source.ts';
import type { ConsoleResponse } from './respond.ts';
import { grouped, money } from './values.ts';

export interface OverviewView {
  state: OverviewState;
  unit: Unit;
  buckets: readonly Bucket[];
  now: Date;
}

const QUEUE_OF_CALLS = 'cdrs.create';

/** What a URL asks for; the minutes of the last hour unless it says otherwise. */
export function unitOf(text: string | null): Unit {
  return text === 'hour' ? 'hour' : 'minute';
}

/** What comes in, what is open and how old it is, and whether workers and feeds are there. */
export function overviewPage({ state, unit, buckets, now }: OverviewView): ConsoleResponse {
  const { statuses, reasons, machines, machinesInAll, queues, heard } = state;
  return {
    kind: 'page',
    title: 'Overview',
    body: html`${renewal}
<div data-live>
${tiles(state, now)}
<section aria-labelledby="over-time"><h2 id="over-time">Calls and dead letters, ${unit === 'minute' ? 'last hour' : 'last 24 hours'}</h2>
<p>${unit === 'minute' ? html`By minute · <a href="/?by=hour">by hour</a>` : html`<a href="/">By minute</a> · by hour`}</p>
${chart({
  unit,
  at: buckets.map(({ at }) => at),
  series: [
    { noun: 'call', did: 'stored', isBad: false, counts: buckets.map(({ stored }) => stored) },
    {
      noun: 'dead letter',
      did: 'added or repeated',
      isBad: true,
      counts: buckets.map(({ died }) => died),
    },
  ],
})}</section>
<section aria-labelledby="by-reason"><h2 id="by-reason">Open dead letters by reason</h2>${reasonTable(reasons, now)}</section>
<section aria-labelledby="by-machine"><h2 id="by-machine">Open dead letters by machine</h2>${machineTable(machines, machinesInAll, now)}</section>
<section aria-labelledby="queues"><h2 id="queues">Queues</h2>${queueTable(queues)}</section>
<section aria-labelledby="feeds"><h2 id="feeds">Feeds and switches</h2>${feeds(heard)}</section>
<section aria-labelledby="statuses"><h2 id="statuses">All dead letters</h2><ul class="numbers">${statuses.map(
      ({ status, count }) =>
        html`<li><b>${grouped(count)}</b> <a href="/dead-letters/list?status=${status}">${status}</a></li>`,
    )}</ul>${statuses.length === 0 && empty('None.')}</section>
</div>`,
  };
}

/** What is looked at first: how many are open and since when, and whether anybody is at work. */
function tiles({ reasons, queues, heard }: OverviewState, now: Date): Html {
  const open = reasons.reduce((sum, { count }) => sum + count, 0);
  const oldest = reasons.map(({ oldest: at }) => at).sort((a, b) => a.getTime() - b.getTime())[0];
  const calls =
    queues.kind === 'known' ? queues.queues.find(({ name }) => name === QUEUE_OF_CALLS)?.depth : null;
  const late = heard.filter(isLate).length;
  return html`<ul class="numbers">
<li><b class="${open === 0 ? 'resolved' : 'dead'}">${grouped(open)}</b> <a href="/dead-letters">open ${plur('dead letter', open)}</a></li>
${oldest !== undefined && html`<li><b>${age(oldest, now)}</b> <a href="/dead-letters/list?sort=oldest">since the oldest died</a></li>`}
${
  calls
    ? html`<li><b>${grouped(calls.ready)}</b> ${plur('call', calls.ready)} waiting in ${QUEUE_OF_CALLS}</li>
<li><b class="${calls.consumers === 0 ? 'dead' : ''}">${calls.consumers}</b> ${plur('worker', calls.consumers)} consuming</li>`
    : html`<li><b class="dead">?</b> workers: the broker is not reachable</li>`
}
<li><b class="${late === 0 ? '' : 'dead'}">${late}</b> late ${late === 1 ? 'feed or switch' : 'feeds or switches'}</li>
</ul>`;
}

function reasonTable(rows: readonly OpenReason[], now: Date): Html {
  if (rows.length === 0) return empty('None is open.');
  const columns: Column<OpenReason>[] = [
    {
      name: 'reason',
      kind: 'head',
      of: ({ reason }) => html`<a href="/dead-letters/list?reason=${reason}">${reason}</a>`,
    },
    ...counts(now),
    { name: 'money at stake', of: stakeOf },
  ];
  return table('Open dead letters by reason', columns, rows);
}

function machineTable(rows: readonly OpenMachine[], inAll: number, now: Date): Html {
  if (rows.length === 0) return empty('None is open.');
  const nameOf = ({ machine }: OpenMachine) =>
    machine === null || machine === ''
      ? 'not readable'
      : html`<a href="/dead-letters/list?machine=${encodeURIComponent(machine)}">${machine}</a>`;
  const columns: Column<OpenMachine>[] = [{ name: 'machine', kind: 'head', of: nameOf }, ...counts(now)];
  return html`${inAll > rows.length && html`<p>The ${rows.length} machines with the most, of ${grouped(inAll)}.</p>`}
${table('Open dead letters by machine', columns, rows, true)}`;
}

/** The columns that both tables have. */
function counts(now: Date): Column<Pick<OpenReason, 'count' | 'lastHour' | 'oldest'>>[] {
  return [
    { name: 'open', kind: 'number', of: ({ count }) => grouped(count) },
    { name: 'last hour', kind: 'number', of: ({ lastHour }) => grouped(lastHour) },
    { name: 'oldest', kind: 'number', of: ({ oldest }) => age(oldest, now) },
  ];
}

function stakeOf({ atStake, unverified }: OpenReason): Html {
  const amounts = atStake.map(
    ({ currency, cost }, index) => html`${index > 0 && ', '}${money(cost, currency, currency)}`,
  );
  return html`${amounts.length === 0 ? 'none' : amounts}${
    unverified > 0 && html` <small>${grouped(unverified)} of unknown senders not counted</small>`
  }`;
}

function queueTable(queues: QueueDepths): Html {
  if (queues.kind === 'unknown')
    return html`<p class="problem">The broker is not reachable: ${queues.problem}</p>`;
  const columns: Column<(typeof queues.queues)[number]>[] = [
    { name: 'queue', kind: 'head', of: ({ name }) => name },
    {
      name: 'waiting',
      kind: 'number',
      of: ({ depth }) => (depth === null ? 'unknown' : grouped(depth.ready)),
    },
    { name: 'consumers', kind: 'number', of: ({ depth }) => depth?.consumers ?? 'unknown' },
  ];
  const missing = queues.queues.filter(({ depth }) => depth === null).map(({ name }) => name);
  return html`${
    missing.length > 0 &&
    html`<p class="problem">${missing.join(', ')}: no such queue, or this user may not ask. <code>cdr-ingest doctor</code> says which.</p>`
  }
${table('Queues', columns, queues.queues, true)}`;
}

function feeds(heard: readonly HeardState[]): Html {
  if (heard.length === 0) return empty('None was heard of, and none is expected.');
  const late = heard.filter(isLate);
  return html`<p>${grouped(heard.length)} heard of or expected, ${late.length === 0 ? 'none late' : `${late.length} late`}: <a href="/feeds">when each was heard last</a>.</p>
${
  late.length > 0 &&
  html`<ul>${late.map(
    ({ kind, name, silentSeconds }) =>
      html`<li>${kind} <strong>${name}</strong> <span class="dead">silent for ${agoText(silentSeconds)}</span></li>`,
  )}</ul>`
}`;
}

const age = (at: Date, now: Date) => agoText((now.getTime() - at.getTime()) / 1000);
