import { type LettersOnly, readReplayLetters } from '../store/replays/letters.ts';
import { type ReplayRow, readReplay, readReplays } from '../store/replays/read.ts';
import { readDryRunSums } from '../store/replays/sums.ts';
import { replayAtOnce, replayTried, resume, stop, tryOut } from './actions-replays.ts';
import { dryRunPage, dryRunProgressPage } from './page-dry-run.ts';
import { replayPage } from './page-replay.ts';
import { replaysPage } from './page-replays.ts';
import { isUnderWay, lettersOnlyOf, progressOf } from './replay-parts.ts';
import type { ConsoleResponse } from './respond.ts';
import { type ConsoleRequest, NOT_FOUND, type Route } from './route.ts';

const PAGE = 50;

/** Dry runs and replays. */
export const replayRoutes: readonly Route[] = [
  { method: 'GET', path: /^\/replays$/, handle: list },
  {
    method: 'GET',
    path: /^\/replays\/(\d{1,18})\.json$/,
    handle: async ({ context }, id) => {
      const row = await readReplay(context.sql, id);
      return row === undefined ? NOT_FOUND : { kind: 'json', value: progressOf(row) };
    },
  },
  {
    method: 'GET',
    path: /^\/replays\/(\d{1,18})$/,
    handle: async (request, id) => {
      const row = await readReplay(request.context.sql, id);
      return row === undefined ? NOT_FOUND : await pageOf(row, request);
    },
  },
  { method: 'POST', path: /^\/replays\/(\d{1,18})\/start$/, handle: replayTried },
  { method: 'POST', path: /^\/replays\/(\d{1,18})\/resume$/, handle: resume },
  { method: 'POST', path: /^\/replays\/(\d{1,18})\/stop$/, handle: stop },
  { method: 'POST', path: /^\/dry-run$/, handle: tryOut },
  { method: 'POST', path: /^\/replay$/, handle: replayAtOnce },
];

async function list({ context, url }: ConsoleRequest): Promise<ConsoleResponse> {
  const before = digitsIn(url, 'before', 18);
  const found = await readReplays(context.sql, { limit: PAGE + 1, before });
  const rows = found.slice(0, PAGE);
  return replaysPage({ rows, before, next: found.length > PAGE ? rows.at(-1)?.id : undefined });
}

async function pageOf(row: ReplayRow, { context, session, url }: ConsoleRequest): Promise<ConsoleResponse> {
  const { sql, systemCurrency } = context;
  if (row.kind === 'dry run' && isUnderWay(row.state)) return dryRunProgressPage(row, session);
  const only = lettersOnlyOf(url.searchParams.get('only')) ?? firstLook(row, url);
  const after = Number(digitsIn(url, 'after', 9) ?? 0);
  const found = await readReplayLetters(sql, row.id, { limit: PAGE + 1, after, only });
  const letters = found.slice(0, PAGE);
  const next = found.length > PAGE ? letters.at(-1)?.position : undefined;
  const detail = { row, letters, only, after, next, systemCurrency };
  if (row.kind === 'replay') return replayPage(detail, session);
  return dryRunPage(detail, await readDryRunSums(sql, row.id), session);
}

/** What needs a look is shown first, unless something else is asked for. */
function firstLook({ kind, refused, skipped }: ReplayRow, url: URL): LettersOnly | undefined {
  if (url.searchParams.has('only') || kind === 'dry run') return undefined;
  if (refused > 0) return 'refused';
  return skipped > 0 ? 'skipped' : undefined;
}

/** A number in the query; undefined for anything else. */
function digitsIn(url: URL, name: string, most: number): string | undefined {
  const text = url.searchParams.get(name) ?? '';
  return /^\d+$/.test(text) && text.length <= most ? text : undefined;
}
