import { INTEGER_MAX } from '../domain/contract.ts';
import { searchKeysFor } from '../domain/dead-letter.ts';
import { expectStorable, InvalidInput, readTime } from '../input.ts';
import type { CallFilter } from '../store/calls/filter.ts';

/** A selection of calls as text, from a command line, a form or a URL. */
export interface CallFilterText {
  uniqueid?: string | undefined;
  callid?: string | undefined;
  customer?: string | undefined;
  number?: string | undefined;
  machine?: string | undefined;
  source?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
  invoice?: string | undefined;
  charged?: string | undefined;
}

/** Parses a selection. Empty parts are ignored, except `source` ('' selects what came by no feed). Throws InvalidInput. */
export function readCallFilter(text: CallFilterText, now: Date): CallFilter {
  for (const [name, part] of Object.entries(text)) if (typeof part === 'string') expectStorable(name, part);
  const filter: CallFilter = {};
  if (text.uniqueid) filter.uniqueid = text.uniqueid;
  if (text.callid) filter.callid = text.callid;
  if (text.customer) filter.customer = idOf('customer', text.customer);
  if (text.number?.trim()) filter.numbers = waysToWrite(text.number);
  if (text.machine) filter.machine = text.machine;
  if (text.source !== undefined) filter.source = text.source;
  if (text.since) filter.since = readTime('since', text.since, now);
  if (text.until) filter.until = readTime('until', text.until, now);
  if (text.invoice) filter.invoice = idOf('invoice', text.invoice);
  if (text.charged) Object.assign(filter, chargedOf(text.charged));
  return filter;
}

/** Of a search that no index serves: reading every call would take minutes. */
const SERVED = ['uniqueid', 'callid', 'customer', 'invoice', 'since'] as const satisfies (keyof CallFilter)[];

/** Throws InvalidInput for a selection that would read every call. */
export function expectServed(filter: CallFilter): void {
  if (SERVED.some((name) => filter[name] !== undefined)) return;
  throw new InvalidInput(
    'since: expected a time, such as 7d or 2026-03-01, where no uniqueid, callid, customer or invoice is given: ' +
      'everything else has to be looked for among the calls of one of them',
  );
}

/** As it was typed, and as switches write numbers. */
function waysToWrite(number: string): string[] {
  return [...new Set([number.trim(), ...searchKeysFor(number)])];
}

function idOf(name: string, text: string): number {
  const id = Number(text);
  if (/^\d{1,10}$/.test(text) && id <= INTEGER_MAX) return id;
  throw new InvalidInput(
    `${name}: expected the ID of ${name === 'invoice' ? 'an' : 'a'} ${name}, got ${JSON.stringify(text)}`,
  );
}

const AMOUNT = '-?\\d{1,18}(?:\\.\\d{1,6})?';
const RANGE = new RegExp(`^(?:(${AMOUNT})|(${AMOUNT})?\\.\\.(${AMOUNT})?)$`);

/** `12.5` is that amount, `100..` that or more, `..0` that or less, `1..2` what is between them. */
function chargedOf(text: string): Pick<CallFilter, 'chargedMin' | 'chargedMax'> {
  const [matched, only, min = only, max = only] = RANGE.exec(text.trim()) ?? [];
  if (matched === undefined || (min === undefined && max === undefined))
    throw new InvalidInput(
      `charged: expected an amount such as 12.5, or amounts such as 100.. or 0.01..5, got ${JSON.stringify(text)}`,
    );
  return { ...(min !== undefined && { chargedMin: min }), ...(max !== undefined && { chargedMax: max }) };
}
