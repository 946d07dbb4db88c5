import type { Command } from 'commander';
import { ConfigError, readConfig } from '../../config.ts';
import { brokerVariables, databaseVariables } from '../../connections.ts';
import { counted } from '../../plural.ts';
import type { Feed } from '../../sources/feed.ts';
import { uniqueidRule } from '../../sources/uniqueid-rule.ts';
import { readSourcesFile } from '../../sources-file.ts';
import { hasOtherRule } from '../../store/source-rules.ts';
import type { Sql } from '../../store/sql.ts';
import { withSwitchClient } from '../broker.ts';
import { withDatabase } from '../database.ts';
import { CommandError, finish } from '../exit.ts';
import { isRereadable } from '../file-lines.ts';
import { addUsage } from '../help.ts';
import { confirm, printJson, printLine } from '../print.ts';
import { outgoingOf } from '../publish/records.ts';
import { isAccepted, printSummary } from '../publish/report.ts';
import { type Outgoing, sendAll, untilSignal } from '../publish/send.ts';
import { type Audited, auditFile } from './audit-file.ts';
import { AuditReport, isState, type State, states } from './audit-report.ts';
import { chosenFeed } from './chosen.ts';

const variables = [...databaseVariables, 'SOURCES_FILE', 'SYSTEM_CURRENCY'] as const;
const SESSION = { name: 'source audit', statementTimeoutMs: 60_000 };
const REPLY_TIMEOUT_MS = 60_000;

/** `source audit`: what has become of the records of a switch's own file. */
export function addAudit(source: Command): void {
  const command = source
    .command('audit')
    .argument('<file>', 'a native file of the feed; - for standard input')
    .description(
      'Say which records of a native file are stored, dead or missing; exit 1 unless all are stored or left out',
    )
    .option('--source <name>', 'the feed that the records come from; not needed if there is only one')
    .option('--show <state>', `list every record in this state: ${states.join(', ')}`)
    .option('--send', 'publish the missing records to the exchange of the feed')
    .option('--yes', 'send without being asked')
    .option('--json', 'print one JSON object per listed record, then the counts')
    .action(run);
  addUsage(command, {
    examples: [
      'cdr-ingest source audit --source pbx-1 cdr-2026-11-27.csv',
      'cdr-ingest source audit --source pbx-1 --show missing cdr-2026-11-27.csv',
      'cdr-ingest source audit --source pbx-1 --send cdr-2026-11-27.csv',
    ],
    environment: [...variables, ...brokerVariables],
  });
}

interface Options {
  source?: string;
  show?: string;
  send?: boolean;
  yes?: boolean;
  json?: boolean;
}

async function run(file: string, options: Options): Promise<void> {
  const { send = false, yes = false, json = false } = options;
  const shown = shownState(options.show);
  if (send && !isRereadable(file))
    throw new ConfigError('--send: expected a file, which is read twice, got a pipe or standard input');
  if (send && !yes && !process.stdin.isTTY)
    throw new ConfigError('--send: expected --yes, because nobody can be asked here');
  const config = readConfig(variables);
  const broker = send ? readConfig(brokerVariables) : null;
  const feed = chosenFeed(readSourcesFile(config.SOURCES_FILE), options.source);
  await withDatabase(config, SESSION, async ({ sql }) => {
    await expectSameRule(sql, feed);
    const records = (signal?: AbortSignal) => auditFile(sql, file, feed, config.SYSTEM_CURRENCY, signal);
    const report = new AuditReport(shown, json);
    await report.read(records());
    finish(report.isComplete);
    const { missing } = report.counts;
    if (broker === null || missing === 0) return;
    const { exchange } = feed.spec;
    const question = `Send ${counted(missing, 'missing record')} to the exchange ${exchange}?`;
    if (!yes && !(await confirm(question))) return printLine('Nothing was sent.');
    await withSwitchClient(
      broker,
      REPLY_TIMEOUT_MS,
      async (client) => {
        const { summary, problem } = await untilSignal((stop) =>
          sendAll(client, (signal) => missingOf(records(signal), feed, file), stop),
        );
        if (json) printJson({ sending: summary }, 0);
        else printSummary(summary, 'records');
        if (problem !== undefined) throw problem;
        finish(report.isCompleteWithMissing && isAccepted(summary));
      },
      exchange,
    );
  });
}

function shownState(text: string | undefined): State | null {
  if (text === undefined) return null;
  if (isState(text)) return text;
  throw new ConfigError(`--show: expected one of ${states.join(', ')}, got ${JSON.stringify(text)}`);
}

/** With another rule every record would seem to be missing. */
async function expectSameRule(sql: Sql, feed: Feed): Promise<void> {
  if (!(await hasOtherRule(sql, feed.name, uniqueidRule(feed)))) return;
  throw new CommandError(
    `the feed ${feed.name} has another rule for uniqueid on record: use the sources file of the workers`,
  );
}

/** What was stored since the first reading is not sent. */
async function* missingOf(
  records: AsyncIterable<Audited>,
  feed: Feed,
  file: string,
): AsyncGenerator<Outgoing> {
  for await (const { record, standing } of records)
    if (standing.state === 'missing') yield outgoingOf(feed, record, file);
}
