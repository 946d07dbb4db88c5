import { exported } from '../dead-letters/export.ts';
import { recordActivity } from '../store/activity.ts';
import { readPage } from '../store/dead-letters/list.ts';
import { readProblems } from '../store/dead-letters/problems.ts';
import { cursorOf, isSort, type Sort } from '../store/dead-letters/sort.ts';
import { askBeforeReplay } from './ask-replay.ts';
import { askBefore, closeAsShown, showDiscarded } from './closing.ts';
import { deadLettersPage } from './page-dead-letters.ts';
import { problemsPage } from './page-problems.ts';
import type { ConsoleResponse } from './respond.ts';
import type { ConsoleRequest, Route } from './route.ts';
import { type FilterText, filterTextOf, OPEN_STATUSES, readFilter } from './selection.ts';
import { readTotals } from './totals.ts';

const PAGE = 50;

/** The problems, the lists of dead letters, their export, and what closes them or opens them again. */
export const listRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/dead-letters$/,
    // Before there were problems, the list was here: a query is one of its filters.
    handle: (request) => (request.url.search === '' ? problems(request) : list(request)),
  },
  { method: 'GET', path: /^\/dead-letters\/list$/, handle: list },
  { method: 'GET', path: /^\/dead-letters\.csv$/, handle: exportCsv },
  { method: 'POST', path: /^\/discard$/, handle: (request) => askBefore('discard', request) },
  { method: 'POST', path: /^\/discard\/confirm$/, handle: (request) => closeAsShown('discard', request) },
  { method: 'GET', path: /^\/discarded$/, handle: showDiscarded },
  { method: 'POST', path: /^\/replay\/ask$/, handle: askBeforeReplay },
  { method: 'POST', path: /^\/reopen$/, handle: (request) => askBefore('reopen', request) },
  { method: 'POST', path: /^\/reopen\/confirm$/, handle: (request) => closeAsShown('reopen', request) },
];

async function problems({ context: { sql, systemCurrency } }: ConsoleRequest): Promise<ConsoleResponse> {
  const open = readFilter({ status: OPEN_STATUSES }, new Date());
  return problemsPage(await readProblems(sql, open, systemCurrency));
}

/** Without a status in the query, the list shows what needs attention. */
function listedBy(query: URLSearchParams): FilterText {
  return { ...(!query.has('status') && { status: OPEN_STATUSES }), ...filterTextOf(query) };
}

function sortIn(query: URLSearchParams): Sort {
  const asked = query.get('sort') ?? '';
  return isSort(asked) ? asked : 'latest';
}

async function list({ url, context, session }: ConsoleRequest): Promise<ConsoleResponse> {
  const { sql, systemCurrency } = context;
  const query = url.searchParams;
  const filter = listedBy(query);
  const selection = readFilter(filter, new Date());
  const sort = sortIn(query);
  const after = cursorOf(query.get('after'), sort);
  const [page, totals] = await Promise.all([
    readPage(sql, selection, PAGE, { sort, after }),
    readTotals(sql, selection, systemCurrency),
  ]);
  const reopened = /^\d{1,9}$/.exec(query.get('reopened') ?? '')?.[0] ?? null;
  return deadLettersPage(
    { ...page, isLater: after !== undefined, sort, filter, totals, reopened, systemCurrency },
    session,
  );
}

/** What the list would show, on all its pages, as a file. That it was fetched is kept on record. */
async function exportCsv({ url, context, session }: ConsoleRequest): Promise<ConsoleResponse> {
  const { sql, systemCurrency } = context;
  const filter = listedBy(url.searchParams);
  const selection = readFilter(filter, new Date());
  await recordActivity(sql, {
    who: session.username,
    act: 'exported',
    program: 'console',
    detail: { filter, format: 'csv' },
  });
  return {
    kind: 'file',
    type: 'text/csv; charset=utf-8',
    name: 'dead-letters.csv',
    chunks: exported(sql, selection, { format: 'csv', systemCurrency, sort: sortIn(url.searchParams) }),
  };
}
