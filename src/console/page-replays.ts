import type { ReplayRow } from '../store/replays/read.ts';
import { badge, type Column, empty, pagination, table } from './components.ts';
import { html } from './html.ts';
import { progressOf } from './replay-parts.ts';
import type { ConsoleResponse } from './respond.ts';
import { timeAt } from './values.ts';

export interface ReplaysList {
  rows: readonly ReplayRow[];
  /** Where this page starts and the next one does; undefined on the first and on the last. */
  before: string | undefined;
  next: string | undefined;
}

const COLUMNS: readonly Column<ReplayRow>[] = [
  {
    name: 'number',
    kind: 'head',
    of: ({ id, kind }) =>
      html`<a href="/replays/${id}">${kind === 'replay' ? `Replay ${id}` : `Dry run ${id}`}</a>`,
  },
  { name: 'asked for (UTC)', of: ({ created_at }) => timeAt(created_at) },
  { name: 'by', of: ({ operator, program }) => `${operator}, ${program}` },
  { name: 'state', of: ({ state }) => badge(state) },
  { name: 'selected', kind: 'number', of: ({ selected }) => selected },
  { name: 'done', kind: 'number', of: (row) => progressOf(row).done },
  { name: 'resolved', kind: 'number', of: ({ kind, resolved }) => kind === 'replay' && resolved },
  { name: 'refused again', kind: 'number', of: ({ kind, refused }) => kind === 'replay' && refused },
  { name: 'why', kind: 'text', isWide: true, of: ({ why }) => why },
];

/** Replays and dry runs of commands and consoles alike, the latest first. */
export function replaysPage({ rows, before, next }: ReplaysList): ConsoleResponse {
  return {
    kind: 'page',
    title: 'Replays',
    body: html`<p>Replays and dry runs, of commands and of this console. What does not run any more can be resumed from its page.</p>
${
  rows.length === 0
    ? empty(
        html`None. Start one from <a href="/dead-letters">dead letters</a>: a dry run shows first what would happen.`,
      )
    : table('Replays and dry runs', COLUMNS, rows)
}
${pagination(
  before === undefined ? undefined : '/replays',
  next === undefined ? undefined : `/replays?before=${next}`,
)}`,
  };
}
