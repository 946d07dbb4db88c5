import { parameterNames, parameterRow } from '../domain/contract.ts';
import { isForgeable } from '../domain/outcome.ts';
import type { ResponseEntry } from '../domain/reply.ts';
import { shown } from '../domain/text.ts';
import { isConflict, mayTakeValues, takeStep } from './conflict.ts';
import { NO_CORRECTION, whyNeeded } from './correction.ts';
import { correctionSteps } from './correction-steps.ts';
import { isAbsent } from './corrections.ts';
import type { DeadLetterView } from './history.ts';
import { routingKeyOf } from './message.ts';
import { nearest } from './nearest.ts';

/** What next steps are told from. */
export type StepsView = Pick<
  DeadLetterView,
  'deadLetter' | 'call' | 'stored' | 'differences' | 'problem' | 'merged'
>;

/** What can be done next with a dead letter, in words, a line each. Commands are those of `cdr-ingest`. */
export function nextSteps(view: StepsView): string[] {
  const { id, status, closed_for_good, operation } = view.deadLetter;
  switch (status) {
    case 'resolved':
      return [operation === 'create' ? 'Nothing: its call is stored.' : 'Nothing: its correction is booked.'];
    case 'replaying':
      return [
        'A replay has sent it, and no worker has answered yet.',
        `If that replay has ended, send it once more; what it had sent is then refused: ${replayCommand(view)}`,
      ];
    case 'discarded':
      if (view.merged !== null) return [mergedStep(view.merged.into)];
      return [
        closed_for_good
          ? 'Its switch does not open it again by sending the call once more.'
          : 'Its switch opens it again by sending the call once more.',
        `To open it yourself: dead reopen ${id} --why "…"`,
      ];
    case 'dead':
      return [
        ...stepsToMend(view),
        ...vouching(view),
        `To see what would become of it, changing nothing: ${replayCommand(view, `${tryingWith(view)}--dry-run`)}`,
        ...(isConflict(view) ? [] : [`To close it without storing the call: dead discard ${id} --why "…"`]),
      ];
    default:
      return status satisfies never;
  }
}

/** A conflict that is tried as it is stays one. */
function tryingWith(view: StepsView): string {
  return isConflict(view) ? `${NEW_UNIQUEID} ` : '';
}

function mergedStep(into: number | null): string {
  const what = 'Nothing here: its message was tried again';
  return into === null
    ? `${what}, and is decided.`
    : `${what}, and goes on as another dead letter: dead show ${into}`;
}

/** The command that replays it, with what it takes to select it. */
function replayCommand({ deadLetter }: StepsView, options = ''): string {
  const { id, reason, verified } = deadLetter;
  const selecting = [isForgeable(reason) ? `--reason ${reason}` : '', verified ? '' : '--unverified'];
  return ['dead replay', id, ...selecting, options].filter((part) => part !== '').join(' ');
}

function vouching({ deadLetter }: StepsView): string[] {
  if (deadLetter.verified) return [];
  return [
    'Nobody knows who sent it. With --unverified you answer for it: the call is stored in your name, and its customer is charged.',
  ];
}

function stepsToMend(view: StepsView): string[] {
  const { deadLetter, problem } = view;
  const { reason } = deadLetter;
  if (problem !== null) return cannotBeSent(view);
  switch (reason) {
    case 'rejected':
      return rejectedSteps(view);
    case 'conflict':
      return conflictSteps(view);
    case 'unauthenticated':
      return [
        'Its user name or password was wrong, or the user is disabled: mend that at the switch, which then sends the call again itself.',
      ];
    case 'forbidden':
      return [
        'Its user may not submit this call: let the user (user add, with its role, machines and customers), then have the switch send it again.',
      ];
    case 'failed':
      return failedSteps(view);
    case 'poison':
      return [
        'It was delivered too often without an answer, so it may be what ends workers: look into their logs first. A dry run works in your own process.',
        ...(deadLetter.tried_at === null
          ? []
          : ['A worker has tried it once more, alone, and could not store it.']),
      ];
    case 'unroutable':
      return [unroutableStep(deadLetter.properties.routingKey)];
    default:
      return reason satisfies never;
  }
}

function cannotBeSent(view: StepsView): string[] {
  if (!view.deadLetter.altered.includes(''))
    return [`What was masked or cut has to be set: ${replayCommand(view, '--set NAME=VALUE')}`];
  return [
    'Its body was masked or cut, so it cannot be sent as it is: its switch may send it again.',
    `Or write the call anew: ${replayCommand(view, NEW_BODY)}`,
  ];
}

const NEW_BODY = '--body FILE --why "…"';
const NEW_UNIQUEID = '--set uniqueid=VALUE --why "…"';

function rejectedSteps(view: StepsView): string[] {
  const { source, operation, responses } = view.deadLetter;
  if (operation !== 'create')
    return correctionSteps(view.deadLetter, (options) => replayCommand(view, options));
  if (source === null) return [...new Set(responses.flatMap((response) => stepsFor(response, view)))];
  const isOfParameter = responses.some(({ key }) => parameterRow(key) !== undefined);
  return [
    `A replay maps the record again. Mend the sources file, or the key in customer_keys, then: dead replay --source ${source}`,
    ...(isOfParameter
      ? [`To set a parameter of this record alone: ${replayCommand(view, '--set NAME=VALUE')}`]
      : []),
  ];
}

/** What the values of some parameters have to name. */
const REFERENCES: Readonly<Record<string, string>> = {
  scustomer: 'customer',
  dcustomer: 'customer',
  currency: 'currency',
  invoice: 'invoice',
  peer: 'peer',
  taxes: 'tax',
};

function stepsFor({ key }: ResponseEntry, view: StepsView): string[] {
  if (key === '') return [`The body cannot be read. Write it anew: ${replayCommand(view, NEW_BODY)}`];
  if (parameterRow(key) === undefined) return unknownParameterSteps(key, view);
  const setting = replayCommand(view, `--set ${key}=VALUE${needsWhy(key) ? ' --why "…"' : ''}`);
  const reference = REFERENCES[key];
  if (reference === undefined) return [`Correct ${key}: ${setting}`];
  return [
    `If the billing system lacks this ${reference}: have it added, then replay.`,
    ...(key === 'invoice'
      ? [`To put the call on the open invoice: ${replayCommand(view, '--set invoice=0 --why "…"')}`]
      : []),
    `If the call is wrong: ${setting}`,
  ];
}

function needsWhy(key: string): boolean {
  return whyNeeded({ ...NO_CORRECTION, unset: [key] }).length > 0;
}

/** Of a made-up name, only a plain one may stand in a command that somebody copies into a shell. */
const PLAIN_NAME = /^\w{1,64}$/;

function unknownParameterSteps(key: string, view: StepsView): string[] {
  const isPlain = PLAIN_NAME.test(key);
  const free = parameterNames.filter((name) => isAbsent(view.call ?? {}, name));
  const near = isPlain ? nearest(key, free) : null;
  return [
    ...(near === null
      ? []
      : [`Give ${key} its right name: ${replayCommand(view, `--rename ${key}=${near} --why "…"`)}`]),
    `${near === null ? `The contract has no ${isPlain ? key : 'such parameter'}. Take` : 'Or take'} it out: ${replayCommand(view, `--unset ${isPlain ? key : 'NAME'}`)}`,
    'If the switch is meant to send it, name it in IGNORED_PARAMETERS of the workers.',
  ];
}

function conflictSteps(view: StepsView): string[] {
  const { id } = view.deadLetter;
  if (!isConflict(view))
    return ['With its corrections it says the same as the stored call: a replay resolves it.'];
  return [
    `If the stored call is right, close this one: dead discard ${id} --why "…"`,
    ...(mayTakeValues(view) ? [takeStep(view)] : []),
    `If both took place, store this one as well, under another uniqueid: ${replayCommand(view, NEW_UNIQUEID)}`,
  ];
}

function failedSteps(view: StepsView): string[] {
  const { waits_for, tried_at, error, mended, edits } = view.deadLetter;
  const isCorrected = mended || Object.keys(edits).length > 0;
  const cause = error === null ? '' : ` (${error})`;
  if (waits_for === null) return [`The database would not take it${cause}: mend that, then replay it.`];
  if (isCorrected)
    return [`It waits for ${waits_for}${cause}, and was corrected: only a replay sends it again.`];
  if (tried_at === null)
    return [
      `It waits for ${waits_for}${cause}: end what holds it, and a worker tries the call again by itself, once.`,
    ];
  return [
    `It waited for ${waits_for}, and a worker has tried it again in vain${cause}: mend that, then replay it.`,
  ];
}

function unroutableStep(routingKey: string | null | undefined): string {
  const sent = routingKey ? `with the routing key ${shown(routingKey)}` : 'without a routing key';
  const to = routingKeyOf('create', { routingKey: routingKey ?? '' });
  return `It was sent ${sent}, which nothing takes: mend that at the switch (cdrs.create or cdrs.create.MACHINE). A replay sends it to ${to}.`;
}
