import { readDeadLetterView } from '../dead-letters/history.ts';
import { mend, showMend } from './actions-mend.ts';
import { showMendMany } from './mend-many.ts';
import { deadLetterPage } from './page-dead-letter.ts';
import { NOT_FOUND, type Route } from './route.ts';

/** What a page that follows an action says of it. */
const DONE: Readonly<Record<string, string>> = {
  corrected: 'The correction is saved. A dry run shows what becomes of the call now.',
};

/** The page of one dead letter, its correction, and that of many. */
export const callRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/dead-letters\/(\d{1,18})$/,
    handle: async ({ context, session, url }, id) => {
      const { sql, systemCurrency } = context;
      const view = await readDeadLetterView(sql, id, systemCurrency);
      const done = DONE[url.searchParams.get('done') ?? ''] ?? null;
      return view === undefined ? NOT_FOUND : deadLetterPage({ view, systemCurrency, done }, session);
    },
  },
  { method: 'GET', path: /^\/dead-letters\/(\d{1,18})\/correct$/, handle: showMend },
  { method: 'POST', path: /^\/dead-letters\/(\d{1,18})\/correct$/, handle: mend },
  { method: 'POST', path: /^\/correct$/, handle: showMendMany },
];
