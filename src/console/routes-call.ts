import { readDeadLetterView } from '../dead-letters/history.ts';
import { correct } from './actions.ts';
import { deadLetterPage } from './page-dead-letter.ts';
import { NOT_FOUND, type Route } from './route.ts';

/** The page of one dead letter, and its correction. */
export const callRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/dead-letters\/(\d{1,18})$/,
    handle: async ({ context, session }, id) => {
      const view = await readDeadLetterView(context.sql, id, context.systemCurrency);
      return view === undefined ? NOT_FOUND : deadLetterPage(view, session);
    },
  },
  {
    method: 'POST',
    path: /^\/correct$/,
    handle: ({ context, form, session }) => correct(context, form, session),
  },
];
