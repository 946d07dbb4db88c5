import { readHeard } from '../store/heard/read.ts';
import { storedCallRoutes } from './calls/routes.ts';
import { heardPage } from './page-heard.ts';
import { overviewPage, unitOf } from './page-overview.ts';
import { type ConsoleResponse, errorPage } from './respond.ts';
import { type ConsoleRequest, NOT_FOUND, type Route } from './route.ts';
import { activityRoutes } from './routes-activity.ts';
import { callRoutes } from './routes-call.ts';
import { listRoutes } from './routes-lists.ts';
import { replayRoutes } from './routes-replays.ts';

/** Every page and every action. Whatever changes something is a POST, which only operators may send. */
const routes: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/$/,
    handle: async ({ context: { overview }, url }) => {
      const unit = unitOf(url.searchParams.get('by'));
      const [state, buckets] = await Promise.all([overview.state(), overview.buckets(unit)]);
      return overviewPage({ state, unit, buckets, now: new Date() });
    },
  },
  {
    method: 'GET',
    path: /^\/feeds$/,
    handle: async ({ context }) => heardPage(await readHeard(context.sql)),
  },
  ...listRoutes,
  ...callRoutes,
  ...storedCallRoutes,
  ...activityRoutes,
  ...replayRoutes,
];

/** Handles a request of a signed-in user. Throws InvalidInput for input that cannot be used. */
export async function route(method: 'GET' | 'POST', request: ConsoleRequest): Promise<ConsoleResponse> {
  for (const { method: own, path, handle } of routes) {
    const found = own === method ? path.exec(request.url.pathname) : null;
    if (found === null) continue;
    if (own === 'POST' && request.session.role !== 'operator')
      return errorPage(403, 'Not allowed', 'This needs a user with the role operator.');
    return await handle(request, found[1] ?? '');
  }
  const moved = movedTo(request.url);
  return moved === undefined ? NOT_FOUND : { kind: 'redirect', to: moved, status: 308 };
}

/** Where a path of an earlier version is now, for bookmarks and for pages that are still open. */
function movedTo({ pathname, search }: URL): string | undefined {
  if (pathname === '/rehearse') return '/dry-run';
  const [, rest] = /^\/letters((?:\/\d{1,18})?)$/.exec(pathname) ?? [];
  return rest === undefined ? undefined : `/dead-letters${rest}${search}`;
}
