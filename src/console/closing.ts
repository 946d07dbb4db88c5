import { expectStorable } from '../input.ts';
import {
  type Closed,
  discardable,
  discardDeadLetters,
  reopenable,
  reopenDeadLetters,
} from '../store/dead-letters/close.ts';
import { readConsequences } from '../store/dead-letters/consequences.ts';
import { countDeadLetters, type DeadLetterFilter } from '../store/dead-letters/list.ts';
import type { ConsoleContext } from './context.ts';
import { localPath } from './local-path.ts';
import { type ClosingAct, type Confirmation, confirmPage } from './page-confirm.ts';
import { discardedPage } from './page-discarded.ts';
import type { ConsoleResponse } from './respond.ts';
import type { ConsoleRequest } from './route.ts';
import { type FilterText, filterTextOf, queryOf, readFilter, selectedIn } from './selection.ts';

/**
 * Discarding and opening again, each in two steps: what will happen, then exactly that. What is selected by a filter keeps its
 * times from the first step to the second, so that what dies meanwhile is no part of it.
 */
const NARROWED: Readonly<Record<ClosingAct, (filter: DeadLetterFilter) => DeadLetterFilter>> = {
  discard: discardable,
  reopen: reopenable,
};

/** The first step. Throws InvalidInput. */
export async function askBefore(
  act: ClosingAct,
  { context, form, session }: ConsoleRequest,
): Promise<ConsoleResponse> {
  const filter = frozen(selectedIn(form), new Date());
  const confirmation = await confirmationOf(context, act, filter, backIn(form, filter));
  return confirmPage({ ...confirmation, typed: { why: form.get('why') ?? '', forGood: false } }, session);
}

/** The second step. Throws InvalidInput. */
export async function closeAsShown(
  act: ClosingAct,
  { context, form, session }: ConsoleRequest,
): Promise<ConsoleResponse> {
  const text = filterTextOf(form);
  const why = (form.get('why') ?? '').trim();
  expectStorable('why', why);
  const forGood = form.get('for_good') === '1';
  const back = backIn(form, text);
  const askAgain = async (again: 'changed' | 'no reason') => {
    const confirmation = await confirmationOf(context, act, text, back);
    return confirmPage({ ...confirmation, again, typed: { why, forGood } }, session);
  };
  // Without a fingerprint nothing was shown.
  const expected = form.get('expected') ?? '';
  if (why === '') return await askAgain('no reason');
  const closing = { by: session.username, why, program: 'console', expected } as const;
  const filter = readFilter(text, new Date());
  const closed =
    act === 'discard'
      ? await discardDeadLetters(context.sql, filter, { ...closing, forGood })
      : await reopenDeadLetters(context.sql, filter, closing);
  return closed.kind === 'changed' ? await askAgain('changed') : afterwards(act, closed, back);
}

function afterwards(
  act: ClosingAct,
  { count, at }: Extract<Closed, { kind: 'done' }>,
  back: string,
): ConsoleResponse {
  if (act === 'discard') {
    const query = new URLSearchParams({ closed_at: at, back });
    return { kind: 'redirect', to: `/discarded?${query.toString()}` };
  }
  const to = new URL(back, 'http://console');
  to.searchParams.set('reopened', String(count));
  return { kind: 'redirect', to: `${to.pathname}${to.search}` };
}

/** What one act has discarded. Throws InvalidInput. */
export async function showDiscarded({ url, context, session }: ConsoleRequest): Promise<ConsoleResponse> {
  const closed_at = url.searchParams.get('closed_at') ?? '';
  const filter = { closed_at, status: 'discarded' };
  const selected = reopenable(readFilter({ ...filter, closed_at: closed_at || 'none' }, new Date()));
  const consequences = await readConsequences(context.sql, selected, context.systemCurrency);
  const back = localPath(url.searchParams.get('back')) ?? '/dead-letters';
  return discardedPage({ consequences, filter, back }, session);
}

async function confirmationOf(
  { sql, systemCurrency }: ConsoleContext,
  act: ClosingAct,
  filter: FilterText,
  back: string,
): Promise<Confirmation> {
  const selected = readFilter(filter, new Date());
  const [consequences, all] = await Promise.all([
    readConsequences(sql, NARROWED[act](selected), systemCurrency),
    countDeadLetters(sql, selected),
  ]);
  return { act, consequences, left: Math.max(0, all - consequences.count), filter, back };
}

/** A selection by filter ends now; one by ids is what it is. */
export function frozen(filter: FilterText, now: Date): FilterText {
  const { since, until } = readFilter(filter, now);
  if (filter.id !== undefined) return filter;
  const end = until ?? now;
  return { ...filter, ...(since !== undefined && { since: since.toISOString() }), until: end.toISOString() };
}

/** Where the form came from; without that the dead letter itself, or the list of what it selects. */
export function backIn(form: URLSearchParams, filter: FilterText): string {
  const [id, ...others] = filter.id ?? [];
  if (id !== undefined && others.length === 0 && !form.has('back')) return `/dead-letters/${id}`;
  return localPath(form.get('back')) ?? `/dead-letters/list?${queryOf(filter).toString()}`;
}
