import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { billingRulesOf, billingVariables } from '../../billing-rules.ts';
import { openOperatorPublisher } from '../../broker/operator-publisher.ts';
import type { CallChange } from '../../calls/change.ts';
import { type Tried, tryCorrection } from '../../calls/correct.ts';
import { type InForce, inForceOf } from '../../calls/in-force.ts';
import { type Placed, placeThrough } from '../../calls/order.ts';
import type { Preview } from '../../calls/preview.ts';
import { readCallStory } from '../../calls/story.ts';
import { ConfigError, readConfig } from '../../config.ts';
import { brokerOf, brokerVariables, databaseVariables } from '../../connections.ts';
import type { ResponseEntry } from '../../domain/reply.ts';
import { shown } from '../../domain/text.ts';
import { expectStorable } from '../../input.ts';
import type { CorrectionOperation, Order } from '../../store/calls/orders.ts';
import type { Database } from '../../store/database.ts';
import type { Sql } from '../../store/sql.ts';
import { withDatabase } from '../database.ts';
import { fromOptions, reasonIn } from '../dead/options.ts';
import { operatorVariables, signIn } from '../dead/session.ts';
import { CommandError, finish } from '../exit.ts';
import { complain, confirm, isWatched, printJson, printLine } from '../print.ts';
import { onStopSignal } from '../signals.ts';
import { callSession } from './options.ts';
import { printBooked, printPreview } from './preview.ts';

export const bookingVariables = [
  ...databaseVariables,
  ...brokerVariables,
  ...operatorVariables,
  ...billingVariables,
] as const;
type BookingConfig = ReturnType<typeof readConfig<(typeof bookingVariables)[number]>>;

export interface BookingOptions {
  why?: string;
  dryRun?: boolean;
  yes?: boolean;
  json?: boolean;
}

export function addBookingOptions(command: Command): Command {
  return command
    .argument('<uniqueid>', 'uniqueid of the call')
    .option('--why <text>', 'reason, kept with the entry; needed but for --dry-run')
    .option('--dry-run', 'only show what would move')
    .option('--yes', 'do it without asking; needed without a terminal')
    .option('--json', 'print JSON');
}

/** What is to be booked, as far as it depends on the call. */
export interface Wanted {
  change: CallChange;
  /** The conflict that it decides, if one. */
  deadLetter: string | null;
  /** What else there is to say before it is done. */
  said: readonly string[];
}

/** How long an answer is waited for. */
const PATIENCE_MS = 30_000;

/** Says what would move, asks, has a worker book it, and says what was booked. */
export async function book(
  operation: CorrectionOperation,
  uniqueid: string,
  options: BookingOptions,
  want: (sql: Sql, inForce: InForce, config: BookingConfig) => Promise<Wanted>,
): Promise<void> {
  const { dryRun = false, json: isJson = false } = options;
  if (uniqueid === '') throw new ConfigError('uniqueid: expected a value, got ""');
  fromOptions(() => expectStorable('uniqueid', uniqueid));
  const why = dryRun && options.why === undefined ? '' : reasonIn(options.why);
  const config = readConfig(bookingVariables);
  await withDatabase(config, callSession, async (database) => {
    const operator = await signIn(database.sql, config);
    const inForce = await expectCall(database.sql, uniqueid);
    const { change, deadLetter, said } = await want(database.sql, inForce, config);
    const order: Order = {
      ...{ id: randomUUID(), operation, uniqueid, follows: inForce.latest, operator, why },
      ...{ program: 'command', deadLetter },
    };
    const tried = await tryCorrection(database, order, change, inForce, billingRulesOf(config));
    if (tried.kind === 'refused') return refuse(order, tried.responses, isJson);
    for (const line of said) complain(line);
    if (!isJson) printPreview(order, tried);
    if (dryRun) return tellDryRun(order, tried, isJson);
    await expectAgreement(operation, options);
    await place(database, config, order, change, tried, isJson);
  });
}

async function expectCall(sql: Sql, uniqueid: string): Promise<InForce> {
  const story = await readCallStory(sql, uniqueid);
  const inForce = story === undefined ? undefined : inForceOf(story);
  if (inForce === undefined) throw new CommandError(`there is no stored call ${shown(uniqueid)}`);
  if (inForce === null)
    throw new CommandError(`call ${shown(uniqueid)} has been pruned: it can be corrected no more`);
  return inForce;
}

function tellDryRun(
  order: Order,
  { preview }: Extract<Tried, { kind: 'would be booked' }>,
  isJson: boolean,
): void {
  if (isJson)
    printJson({ ...headOf(order), booked: false, dry_run: true, ...readable(preview), responses: [] });
  else printLine('Dry run: nothing was changed.');
}

/** As JSON has it: a value for each name. */
function readable({ terms, ...preview }: Preview) {
  return { ...preview, terms: Object.fromEntries(terms) };
}

function headOf({ id, operation, uniqueid, follows }: Order) {
  return { uniqueid, operation, order: id, follows };
}

async function expectAgreement(operation: CorrectionOperation, { yes, json }: BookingOptions): Promise<void> {
  if (yes) return;
  if (json || !(process.stdin.isTTY && isWatched()))
    throw new ConfigError(
      '--yes: expected, because nobody can be asked here; --dry-run only shows what would move',
    );
  if (await confirm(operation === 'void' ? 'Void the call?' : 'Correct the call?')) return;
  complain('Nothing was done.');
  throw new CommandError('not booked: the question was not answered with yes');
}

async function place(
  database: Database,
  config: BookingConfig,
  order: Order,
  change: CallChange,
  { preview }: Extract<Tried, { kind: 'would be booked' }>,
  isJson: boolean,
): Promise<void> {
  const stop = new AbortController();
  const ignoreSignals = onStopSignal(() => stop.abort());
  try {
    const open = () => openOperatorPublisher(brokerOf(config), `call ${order.operation}`);
    const context = { sql: database.sql, patienceMs: PATIENCE_MS, stop: stop.signal };
    const placed = await placeThrough(open, order, change, context);
    await tellPlaced(database.sql, order, placed, preview, isJson);
  } finally {
    ignoreSignals();
  }
}

const BROKER_ADVICE = 'check AMQP_URL: amqp://user:password@host:5672/vhost';

async function tellPlaced(
  sql: Sql,
  order: Order,
  placed: Placed,
  preview: Preview,
  isJson: boolean,
): Promise<void> {
  switch (placed.kind) {
    case 'booked':
      if (isJson)
        printJson({ ...headOf(order), booked: true, dry_run: false, ...readable(preview), responses: [] });
      else await printBooked(sql, order);
      return;
    case 'refused':
      return refuse(order, placed.responses, isJson);
    case 'not sent':
      throw new CommandError(`nothing was booked: ${placed.problem}; ${BROKER_ADVICE}`);
    case 'unanswered':
      throw new CommandError(
        `no worker has answered yet: the order is on record, and booked as soon as one does. To look: cdr-ingest call show ${shown(order.uniqueid)}`,
      );
    default:
      return placed satisfies never;
  }
}

function refuse(order: Order, responses: readonly ResponseEntry[], isJson: boolean): void {
  if (isJson) {
    printJson({ ...headOf(order), booked: false, dry_run: false, responses });
    finish(false);
    return;
  }
  const reasons = responses.map(
    ({ code, key, message }) => `${code} ${key === '' ? '' : `${key}: `}${message}`,
  );
  throw new CommandError(`nothing was booked: ${reasons.join('; ')}`);
}
