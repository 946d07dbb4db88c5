import { type Act, acts } from '../domain/activity.ts';
import { expectStorable, InvalidInput, readTime } from '../input.ts';
import { type ActivityFilter, readActivity } from '../store/activity.ts';
import { type ActivityFilterText, activityFilters, activityPage } from './page-activity.ts';
import type { ConsoleResponse } from './respond.ts';
import type { ConsoleRequest, Route } from './route.ts';

const ROWS = 100;

/** The page of who did what. */
export const activityRoutes: readonly Route[] = [{ method: 'GET', path: /^\/activity$/, handle: list }];

async function list({ url: { searchParams }, context }: ConsoleRequest): Promise<ConsoleResponse> {
  const filter: ActivityFilterText = Object.fromEntries(
    activityFilters.flatMap((name) => {
      const text = searchParams.get(name)?.trim();
      return text ? [[name, text]] : [];
    }),
  );
  const before = searchParams.get('before') ?? undefined;
  if (before !== undefined && !/^\d{1,18}$/.test(before))
    throw new InvalidInput(`before: expected a whole number, got ${JSON.stringify(before)}`);
  const found = await readActivity(context.sql, {
    ...readFilter(filter, new Date()),
    limit: ROWS + 1,
    before,
  });
  const rows = found.slice(0, ROWS);
  return activityPage({ rows, before: found.length > ROWS ? rows.at(-1)?.id : undefined, filter });
}

function readFilter({ who, act, since, until }: ActivityFilterText, now: Date): ActivityFilter {
  if (who !== undefined) expectStorable('who', who);
  return {
    ...(who !== undefined && { who }),
    ...(act !== undefined && { acts: [actOf(act)] }),
    ...(since !== undefined && { since: readTime('since', since, now) }),
    ...(until !== undefined && { until: readTime('until', until, now) }),
  };
}

function actOf(text: string): Act {
  const act = acts.find((each) => each === text);
  if (act !== undefined) return act;
  throw new InvalidInput(`act: expected one of ${acts.join(', ')}, got ${JSON.stringify(text)}`);
}
