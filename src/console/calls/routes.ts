import { expectServed, readCallFilter } from '../../calls/filter.ts';
import { listed } from '../../calls/listed.ts';
import { readCallStory } from '../../calls/story.ts';
import { expectStorable, InvalidInput } from '../../input.ts';
import type { CallFilter } from '../../store/calls/filter.ts';
import { findCalls } from '../../store/calls/find.ts';
import { readNear } from '../../store/calls/near.ts';
import { empty } from '../components.ts';
import { html } from '../html.ts';
import type { ConsoleResponse } from '../respond.ts';
import type { ConsoleRequest, Route } from '../route.ts';
import { askBeforeCorrect, askBeforeVoid, bookAsShown, showCorrect } from './booking.ts';
import { nearParts } from './near-parts.ts';
import { callPage } from './page-call.ts';
import { callsPage } from './page-calls.ts';
import { callCursorIn, callFilterIn } from './search.ts';

const ROWS = 50;

/** Stored calls: the search, one call, and what corrects or voids it. */
export const storedCallRoutes: readonly Route[] = [
  { method: 'GET', path: /^\/calls$/, handle: showCalls },
  { method: 'GET', path: /^\/call$/, handle: showCall },
  { method: 'GET', path: /^\/call\/correct$/, handle: showCorrect },
  { method: 'POST', path: /^\/call\/correct$/, handle: askBeforeCorrect },
  { method: 'GET', path: /^\/call\/void$/, handle: askBeforeVoid },
  { method: 'POST', path: /^\/call\/book$/, handle: bookAsShown },
];

async function showCalls({ url, context }: ConsoleRequest): Promise<ConsoleResponse> {
  const filter = callFilterIn(url.searchParams);
  const nothing = { filter, found: null, near: null, isLater: false };
  if (Object.keys(filter).length === 0) return callsPage({ ...nothing, problem: null });
  try {
    const { corrected, ...text } = filter;
    const read = readCallFilter(text, new Date());
    const selection: CallFilter = corrected === undefined ? read : { ...read, corrected: true };
    expectServed(selection);
    const after = callCursorIn(url.searchParams);
    const { calls, next } = await findCalls(context.sql, selection, { limit: ROWS, after });
    const found = { calls: await listed(context.sql, calls), next };
    const near =
      calls.length === 0 && filter.uniqueid !== undefined
        ? await readNear(context.sql, filter.uniqueid)
        : null;
    return callsPage({ filter, found, near, isLater: after !== undefined, problem: null });
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return callsPage({ ...nothing, problem: error.message });
  }
}

/** What a page that follows an act says of it. */
const DONE = {
  void: html`The call is voided.`,
  update: html`The correction is booked.`,
} as const;

async function showCall({ url, context, session }: ConsoleRequest): Promise<ConsoleResponse> {
  const uniqueid = url.searchParams.get('uniqueid') ?? '';
  expectStorable('uniqueid', uniqueid);
  const story = await readCallStory(context.sql, uniqueid);
  if (story === undefined) {
    const near = nearParts(await readNear(context.sql, uniqueid));
    const body = html`${empty('No call with this uniqueid is stored.')}${near}`;
    return { kind: 'page', status: 404, title: `No call ${uniqueid}`, body };
  }
  const done = url.searchParams.get('done');
  return callPage({ story, done: done === 'void' || done === 'update' ? DONE[done] : null }, session);
}
