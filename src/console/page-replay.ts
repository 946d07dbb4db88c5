import { counted } from '../plural.ts';
import type { ReplayLetter } from '../store/replays/letters.ts';
import type { ReplayRow } from '../store/replays/read.ts';
import { badge, type Column, notice } from './components.ts';
import { type Html, html } from './html.ts';
import {
  idColumn,
  isUnderWay,
  lettersList,
  orderFacts,
  progressBar,
  progressOf,
  type ReplayDetail,
  replayButton,
  replyColumn,
  stoppingNotice,
  uniqueidColumn,
} from './replay-parts.ts';
import type { ConsoleResponse } from './respond.ts';
import type { Session } from './session.ts';
import { timeAt } from './values.ts';

const NUMBERS = [
  ['sent', 'sent'],
  ['resolved', 'resolved'],
  ['refused', 'refused again'],
  ['skipped', 'left out'],
] as const;
const WHILE_RUNNING = [
  ['rate', 'per second'],
  ['left', 'left'],
] as const;

/** Why it was refused or left out. Of the others there is only the reply from before, or from the dry run. */
const REPLY: Column<ReplayLetter> = {
  ...replyColumn,
  of: (letter) => (letter.result === 'refused' || letter.skipped !== null) && replyColumn.of(letter),
};

/** A replay: how far it is, or what became of it, and how it goes on. */
export function replayPage(detail: ReplayDetail, session: Session): ConsoleResponse {
  const { row } = detail;
  const { id, state, resumable } = row;
  const isRunning = isUnderWay(state);
  return {
    kind: 'page',
    title: `Replay ${id}`,
    body: html`<p>${badge(state)}</p>
${stateNotice(row)}${stoppingNotice(row)}
${progressBar(row, isRunning ? [...NUMBERS, ...WHILE_RUNNING] : NUMBERS)}
${isRunning && row.stop_by === null && replayButton(row, 'stop', 'Stop sending', session)}
${resumable && replayButton(row, 'resume', `Resume: send the other ${restOf(row)}`, session)}
${orderFacts(row)}
${
  !isRunning &&
  lettersList(
    detail,
    ['refused', 'skipped', 'waiting', 'taken over', 'resolved'],
    [idColumn, uniqueidColumn, { name: 'result', of: ({ result }) => badge(result) }, REPLY],
  )
}`,
  };
}

/** Dead letters that have no result yet. */
function restOf(row: ReplayRow): number {
  const { selected, done } = progressOf(row);
  return Math.max(0, selected - done);
}

function stateNotice(row: ReplayRow): Html | false {
  const { state, problem, resolved, refused, skipped, taken_over, alive_at } = row;
  const rest = counted(restOf(row), 'dead letter');
  const goOn = html`<p>${rest} of it ${restOf(row) === 1 ? 'has' : 'have'} no result yet. Resume sends what was not sent; nothing is charged twice.</p>`;
  switch (state) {
    case 'interrupted':
      return notice(
        'warning',
        html`<p>The process that ran it has gone without a word${alive_at !== null && html`; it was last heard of at ${timeAt(alive_at)}`}.</p>${goOn}`,
      );
    case 'stopped':
      return notice(
        'warning',
        html`<p>Stopped early${problem !== null && `: ${problem.replace(/^stopped:? /, '')}`}.</p>${goOn}`,
      );
    case 'failed':
      return notice('problem', html`<p>It failed: ${problem}</p>${goOn}`);
    case 'done':
      return notice(
        refused + skipped + taken_over === 0 ? 'done' : 'warning',
        html`<p>Done: ${counted(resolved, 'call')} resolved, ${refused} refused again${skipped > 0 && `, ${skipped} left out`}${taken_over > 0 && `, ${taken_over} replayed again by others, or deleted`}.</p>`,
      );
    case 'trying':
    case 'tried':
    case 'running':
      return false;
    default:
      return state satisfies never;
  }
}
