import { readReplayLetters } from '../store/replays/letters.ts';
import { type ReplayRow, readReplayRow, readReplays } from '../store/replays/read.ts';
import { readDryRunSums } from '../store/replays/sums.ts';
import { replayAtOnce, replayTried, resume, stop, tryOut } from './actions-replays.ts';
import { dryRunPage, numbersOf, replayPage, replaysPage } from './page-replays.ts';
import type { ConsoleResponse } from './respond.ts';
import { type ConsoleRequest, NOT_FOUND, type Route } from './route.ts';

const PAGE = 50;

/** Dry runs and replays. */
export const replayRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/replays$/,
    handle: async ({ context }) => replaysPage(await readReplays(context.sql, { limit: PAGE })),
  },
  {
    method: 'GET',
    path: /^\/replays\/(\d{1,18})\.json$/,
    handle: async ({ context }, id) => {
      const row = await readReplayRow(context.sql, id);
      return row === undefined ? NOT_FOUND : { kind: 'json', value: numbersOf(row) };
    },
  },
  {
    method: 'GET',
    path: /^\/replays\/(\d{1,18})$/,
    handle: async (request, id) => {
      const row = await readReplayRow(request.context.sql, id);
      return row === undefined ? NOT_FOUND : await pageOf(row, request);
    },
  },
  { method: 'POST', path: /^\/replays\/(\d{1,18})\/start$/, handle: replayTried },
  { method: 'POST', path: /^\/replays\/(\d{1,18})\/resume$/, handle: resume },
  { method: 'POST', path: /^\/replays\/(\d{1,18})\/stop$/, handle: stop },
  { method: 'POST', path: /^\/dry-run$/, handle: tryOut },
  { method: 'POST', path: /^\/replay$/, handle: replayAtOnce },
];

async function pageOf(row: ReplayRow, { context, session }: ConsoleRequest): Promise<ConsoleResponse> {
  const { sql } = context;
  const skipped = await readReplayLetters(sql, row.id, { limit: PAGE, only: 'skipped' });
  if (row.kind === 'replay') return replayPage(row, skipped, session);
  const letters = await readReplayLetters(sql, row.id, { limit: PAGE, only: 'tried' });
  return dryRunPage(row, await readDryRunSums(sql, row.id), letters, skipped, session);
}
