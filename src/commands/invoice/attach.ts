import type { Command } from 'commander';
import { billingRulesOf, billingVariables } from '../../billing-rules.ts';
import {
  type AttachEnd,
  type AttachOrder,
  attachLate,
  customersIn,
  problemOfInvoice,
} from '../../calls/attach.ts';
import { ConfigError, readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { counted } from '../../plural.ts';
import type { Database } from '../../store/database.ts';
import { type AttachPlan, planAttaching } from '../../store/late/plan.ts';
import { withDatabase } from '../database.ts';
import { reasonIn } from '../dead/options.ts';
import { operatorVariables, signIn } from '../dead/session.ts';
import { CommandError, finish } from '../exit.ts';
import { addUsage } from '../help.ts';
import { complain, confirm, isWatched, printJson, printLine, progressBar } from '../print.ts';
import { onStopSignal } from '../signals.ts';
import { idIn, invoiceSession } from './options.ts';
import { countOf, printPlan } from './plan.ts';

const variables = [...databaseVariables, ...operatorVariables, ...billingVariables] as const;

/** `invoice attach`: puts what no invoice took on an open one. */
export function registerAttach(invoice: Command): void {
  const command = invoice
    .command('attach')
    .description('Put the calls and corrections that no invoice took on open invoices, on the rates of today')
    .option('--customer <id>', 'what is late of this customer')
    .option('--invoice <id>', 'put it on this invoice; needs --customer')
    .option(
      '--all',
      'put it on the open invoice of its customer: one that covers the call, else the earliest',
    )
    .option('--dry-run', 'only show what each invoice would gain')
    .option('--why <text>', 'reason, kept with each entry; needed')
    .option('--yes', 'do it without asking; needed without a terminal')
    .option('--json', 'print JSON')
    .action(attach);
  addUsage(command, {
    examples: [
      'cdr-ingest invoice attach --customer 1 --invoice 12 --dry-run',
      'cdr-ingest invoice attach --customer 1 --invoice 12 --why "calls of March came in April"',
      'cdr-ingest invoice attach --all --why "end of the month" --yes',
    ],
    environment: variables,
  });
}

interface AttachOptions {
  customer?: string;
  invoice?: string;
  all?: boolean;
  dryRun?: boolean;
  why?: string;
  yes?: boolean;
  json?: boolean;
}

async function attach(options: AttachOptions): Promise<void> {
  const { dryRun: isDryRun = false, why, yes = false, json: isJson = false } = options;
  const target = targetOf(options);
  const reason = isDryRun ? '' : reasonIn(why);
  const config = readConfig(variables);
  await withDatabase(config, invoiceSession, async (database) => {
    const by = await signIn(database.sql, config);
    const order = { ...target, ...billingRulesOf(config), by, why: reason };
    await expectOpen(database, order);
    const plan = await planAttaching(database.sql, order);
    const isWhole = plan.leftOut.length === 0;
    if (isDryRun) {
      if (isJson) printJson({ dry_run: true, ...asJson(plan) });
      else printPlan(plan, 'would be attached');
      return finish(isWhole);
    }
    if (countOf(plan) > 0) await expectAgreement(plan, { yes, isJson });
    else if (!isJson) printPlan(plan, 'to attach');
    const { attached, end } = await run(database, order, plan);
    if (isJson) printJson({ attached, end: end.kind, ...asJson(plan) });
    else if (countOf(plan) > 0) printLine(`${attached} attached`);
    const problem = problemOf(end, order);
    if (problem !== null) throw new CommandError(problem);
    finish(isWhole);
  });
}

/** Throws ConfigError. */
function targetOf({ customer, invoice, all = false }: AttachOptions) {
  const target = {
    customer: idIn('customer', customer) ?? null,
    invoice: idIn('invoice', invoice) ?? null,
  };
  if (all === (target.invoice !== null))
    throw new ConfigError(
      'expected --invoice with the ID of one, or --all for the open invoice of each customer',
    );
  if (target.invoice !== null && target.customer === null)
    throw new ConfigError('--invoice: expected with --customer');
  return target;
}

async function expectOpen({ sql }: Database, order: AttachOrder): Promise<void> {
  const problem = await problemOfInvoice(sql, order);
  switch (problem?.kind) {
    case undefined:
      return;
    case 'unknown':
      throw new CommandError(`there is no invoice ${order.invoice}`);
    case 'of another customer':
      throw new CommandError(
        `invoice ${order.invoice} belongs to customer ${problem.customer}, not to customer ${order.customer}`,
      );
    case 'closed':
      throw new CommandError(`invoice ${order.invoice} is closed: what is late can only go on an open one`);
    default:
      return problem satisfies never;
  }
}

async function expectAgreement(plan: AttachPlan, { yes, isJson }: { yes: boolean; isJson: boolean }) {
  const subject = counted(countOf(plan), 'late call');
  if (!yes && !(process.stdin.isTTY && isWatched()))
    throw new ConfigError(`--yes: expected, because nobody can be asked here; ${subject} would be attached`);
  if (!isJson) printPlan(plan, 'to attach');
  if (yes || (await confirm(`Attach ${subject}?`))) return;
  complain('Nothing was done.');
  throw new CommandError('not attached: the question was not answered with yes');
}

async function run(database: Database, order: AttachOrder, plan: AttachPlan) {
  const stop = new AbortController();
  const bar = progressBar('{bar} {value}/{total} late calls | {eta_formatted} left');
  const ignoreSignals = onStopSignal(() => {
    complain('');
    complain('stopping after this portion (Ctrl-C again to quit now)');
    stop.abort();
  });
  bar.start(countOf(plan), 0);
  try {
    return await attachLate(order, customersIn(plan), {
      database,
      stop: stop.signal,
      onProgress: (attached) => bar.update(attached),
    });
  } finally {
    bar.stop();
    ignoreSignals();
  }
}

function asJson({ shares, leftOut }: AttachPlan) {
  return { invoices: shares, left_out: leftOut };
}

const AGAIN = 'what was attached stays; run the same command again for the rest';

function problemOf(end: AttachEnd, { invoice }: AttachOrder): string | null {
  switch (end.kind) {
    case 'done':
      return null;
    case 'stopped':
      return `stopped; ${AGAIN}`;
    case 'closed':
      return `invoice ${invoice} was closed meanwhile; what was attached stays, the rest is still late`;
    case 'locked': {
      const { id = invoice, pid = null, application = null } = end.by ?? {};
      const holder = pid === null ? 'another session' : `process ${pid} (${application || 'unnamed'})`;
      return `invoice ${id ?? ''} is locked by ${holder}; ${AGAIN}`.replace('invoice  is', 'an invoice is');
    }
    default:
      return end satisfies never;
  }
}
