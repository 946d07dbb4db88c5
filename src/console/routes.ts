import { readDeadLetterHistory } from '../dead-letters/look.ts';
import { readSelection } from '../dead-letters/selection.ts';
import { type Cursor, readPage } from '../store/dead-letters/list.ts';
import { readOverview } from '../store/overview.ts';
import { correct, discard, filterTextOf, startReplay, tryOut } from './actions.ts';
import type { ConsoleContext } from './desk.ts';
import { type Jobs, numbersOf } from './jobs.ts';
import { deadLetterPage } from './page-letter.ts';
import { deadLettersPage } from './page-letters.ts';
import { overviewPage } from './page-overview.ts';
import { jobPage, jobsPage } from './page-replay.ts';
import { type Answer, problem } from './respond.ts';
import type { Session } from './session.ts';

/** A request of somebody signed in; `form` is empty for GET. */
export interface Visit {
  url: URL;
  form: URLSearchParams;
  session: Session;
  context: ConsoleContext;
  jobs: Jobs;
  /** What the path's pattern holds in brackets. */
  part: string;
}

interface Route {
  method: 'GET' | 'POST';
  path: RegExp;
  answer: (visit: Visit) => Promise<Answer> | Answer;
}

const PAGE = 50;
const NOT_FOUND = problem(404, 'Not found', 'There is no such page.');

/** Every page and every action. What is sent by a form changes something, and is for operators alone. */
const routes: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/$/,
    answer: async ({ context }) => overviewPage(await readOverview(context.sql)),
  },
  { method: 'GET', path: /^\/letters$/, answer: list },
  {
    method: 'GET',
    path: /^\/letters\/(\d{1,18})$/,
    answer: async ({ context, part, session }) => {
      const deadLetterHistory = await readDeadLetterHistory(context.sql, part, context.systemCurrency);
      return deadLetterHistory === undefined ? NOT_FOUND : deadLetterPage(deadLetterHistory, session);
    },
  },
  { method: 'GET', path: /^\/replays$/, answer: ({ jobs }) => jobsPage(jobs.all) },
  {
    method: 'GET',
    path: /^\/replays\/([\w-]+)\.json$/,
    answer: ({ jobs, part }) => {
      const job = jobs.find(part);
      return job === undefined ? NOT_FOUND : { kind: 'json', value: numbersOf(job) };
    },
  },
  {
    method: 'GET',
    path: /^\/replays\/([\w-]+)$/,
    answer: ({ jobs, part, session }) => {
      const job = jobs.find(part);
      return job === undefined ? NOT_FOUND : jobPage(job, session);
    },
  },
  {
    method: 'POST',
    path: /^\/replays\/([\w-]+)\/stop$/,
    answer: ({ jobs, part }) => {
      jobs.find(part)?.stop.abort();
      return { kind: 'go', to: `/replays/${part}` };
    },
  },
  {
    method: 'POST',
    path: /^\/correct$/,
    answer: ({ context, form, session }) => correct(context, form, session),
  },
  {
    method: 'POST',
    path: /^\/discard$/,
    answer: ({ context, form, session }) => discard(context, form, session),
  },
  { method: 'POST', path: /^\/rehearse$/, answer: ({ context, form }) => tryOut(context, form) },
  {
    method: 'POST',
    path: /^\/replay$/,
    answer: ({ context, jobs, form, session }) => startReplay(context, jobs, form, session),
  },
];

/** Answers a request of somebody signed in. Throws SelectionError for what nobody can mean. */
export async function visit(method: string, given: Omit<Visit, 'part'>): Promise<Answer> {
  for (const { method: own, path, answer } of routes) {
    const found = own === method ? path.exec(given.url.pathname) : null;
    if (found === null) continue;
    if (own === 'POST' && given.session.role !== 'operator')
      return problem(403, 'Not allowed', 'This needs a user with role operator.');
    return await answer({ ...given, part: found[1] ?? '' });
  }
  return NOT_FOUND;
}

async function list({ url, context, session }: Visit): Promise<Answer> {
  const { searchParams } = url;
  // Without any choice the list shows what waits for somebody.
  const filter = searchParams.has('status')
    ? filterTextOf(searchParams)
    : { ...filterTextOf(searchParams), status: 'dead' };
  const selection = readSelection(filter, new Date());
  const page = await readPage(context.sql, selection, PAGE, cursorOf(searchParams.get('after')));
  return deadLettersPage({ ...page, filter, systemCurrency: context.systemCurrency }, session);
}

function cursorOf(text: string | null): Cursor | undefined {
  const [, id, at] =
    /^(\d{1,18})@(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?\+\d\d)$/.exec(text ?? '') ?? [];
  return id === undefined || at === undefined ? undefined : { id: Number(id), at };
}
