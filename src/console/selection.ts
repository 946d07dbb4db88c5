import { readSelection, type SelectionText } from '../dead-letters/selection.ts';
import { openStatuses } from '../domain/record.ts';
import { InvalidInput } from '../input.ts';
import type { DeadLetterFilter } from '../store/dead-letters/list.ts';
import { fieldValue, type Html, html } from './html.ts';

/** What selects dead letters in a URL and in a form, with the names of the command line's options. */
const PARTS = {
  search: 'search',
  reason: 'reason',
  status: 'status',
  code: 'code',
  key: 'key',
  answer_key: 'answerKey',
  customer: 'customer',
  machine: 'machine',
  uniqueid: 'uniqueid',
  source: 'source',
  since: 'since',
  until: 'until',
  closed_at: 'closedAt',
} as const satisfies Record<string, keyof SelectionText>;

export type FilterName = keyof typeof PARTS;
/** The filter as text, and the ids if rows were chosen. */
export type FilterText = Partial<Record<FilterName, string>> & { id?: readonly string[] };

/** What the lists show unless they are asked for something else: what needs attention. */
export const OPEN_STATUSES = openStatuses.join(',');

/** For dead letters whose reply names no parameter there is nothing else to say that. */
const MAY_BE_EMPTY: readonly FilterName[] = ['answer_key'];
const filterNames = Object.keys(PARTS) as FilterName[];

/** The filter in a query string or a form; empty parts are left out. */
export function filterTextOf(parameters: URLSearchParams): FilterText {
  const entries = filterNames.flatMap((name) => {
    const value = parameters.get(name);
    return value === null || (value === '' && !MAY_BE_EMPTY.includes(name)) ? [] : [[name, value] as const];
  });
  const ids = parameters.getAll('id');
  return { ...Object.fromEntries(entries), ...(ids.length > 0 && { id: ids }) };
}

/** Throws InvalidInput. */
export function readFilter({ id: ids, ...text }: FilterText, now: Date): DeadLetterFilter {
  const parts = Object.entries(text).map(([name, value]) => [PARTS[name as FilterName], value]);
  return readSelection({ ...Object.fromEntries(parts), ids }, now);
}

/** The filter as the query of a URL. */
export function queryOf({ id: ids = [], ...text }: FilterText): URLSearchParams {
  const query = new URLSearchParams(text);
  for (const id of ids) query.append('id', id);
  return query;
}

/** The filter as hidden fields of a form. */
export function hiddenFields(filter: FilterText): Html {
  const fields = [...queryOf(filter)].map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${fieldValue(value)}">`,
  );
  return html`${fields}`;
}

/**
 * The dead letters that a form is about: of a list those that are ticked, those of its page, or all that the filter selects,
 * as `scope` says. Throws InvalidInput.
 */
export function selectedIn(form: URLSearchParams): FilterText {
  const ticked = form.getAll('tick');
  switch (form.get('scope')) {
    case 'ticked':
      if (ticked.length > 0) return { id: ticked };
      throw new InvalidInput(
        'No dead letter is ticked. Go back and tick some, or choose the page or all of the filter.',
      );
    case 'page':
      return { id: (form.get('page_ids') ?? '').split(',') };
    default:
      return filterTextOf(form);
  }
}

/** The same as a filter. Throws InvalidInput. */
export function selectionIn(form: URLSearchParams): DeadLetterFilter {
  return readFilter(selectedIn(form), new Date());
}
