import type { Command } from 'commander';
import { type Config, ConfigError, readConfig } from '../../config.ts';
import { brokerVariables } from '../../connections.ts';
import { readSourcesFile } from '../../sources-file.ts';
import { withSwitchClient } from '../broker.ts';
import { addUsage } from '../help.ts';
import { chosenFeed } from '../source/chosen.ts';
import { type Credentials, checkCallFiles, readCallFile } from './calls.ts';
import { recordsToSend } from './records.ts';
import { report } from './report.ts';
import { type Outgoing, sendAll, untilSignal } from './send.ts';

const credentialVariables = ['CDR_USERNAME', 'CDR_PASSWORD'] as const;

/** `publish`: submits calls as a switch does and waits for the replies. */
export function registerPublish(program: Command): void {
  const command = program
    .command('publish')
    .argument('<file...>', 'JSON Lines, a JSON array or CSV; - for standard input')
    .description('Publish calls as a switch does and wait for the replies; exit 1 unless all are 2xx')
    .option('--source <name>', 'publish native files of this feed of the sources file, one record a message')
    .option('--json', 'print the summary as JSON')
    .option('--timeout <seconds>', 'how long to wait for each reply', '60')
    .action(run);
  addUsage(command, {
    examples: [
      'cdr-ingest publish calls.jsonl',
      'zcat calls.csv.gz | cdr-ingest publish -',
      'cdr-ingest publish --source pbx-1 cdr-2026-11-27.csv',
    ],
    environment: [...brokerVariables, ...credentialVariables, 'SOURCES_FILE'],
  });
}

interface Options {
  source?: string;
  json?: boolean;
  timeout: string;
}

async function run(files: string[], options: Options): Promise<void> {
  const timeoutMs = timeoutOf(options.timeout);
  if (options.source === undefined) await publishCalls(files, timeoutMs, options.json);
  else await publishRecords(files, options.source, timeoutMs, options.json);
}

/** Milliseconds. Throws ConfigError. */
function timeoutOf(text: string): number {
  const seconds = Number(text);
  if (seconds > 0) return seconds * 1000;
  throw new ConfigError(`--timeout: expected seconds above 0, got ${JSON.stringify(text)}`);
}

async function publishCalls(files: readonly string[], timeoutMs: number, json?: boolean): Promise<void> {
  const config = readConfig([...brokerVariables, ...credentialVariables]);
  const credentials = credentialsOf(config);
  await checkCallFiles(files);
  await withSwitchClient(config, timeoutMs, async (client) => {
    const sending = await untilSignal((stop) =>
      sendAll(client, (signal) => calls(files, credentials, signal), stop),
    );
    report(sending, 'calls', json);
  });
}

async function publishRecords(
  files: readonly string[],
  source: string,
  timeoutMs: number,
  json?: boolean,
): Promise<void> {
  const config = readConfig([...brokerVariables, 'SOURCES_FILE']);
  const feed = chosenFeed(readSourcesFile(config.SOURCES_FILE), source);
  let skipped = 0;
  const onSkipped = () => {
    skipped += 1;
  };
  const work: Parameters<typeof withSwitchClient>[2] = async (client) => {
    const { summary, problem } = await untilSignal((stop) =>
      sendAll(client, (signal) => recordsToSend(files, feed, onSkipped, signal), stop),
    );
    report({ summary: { ...summary, skipped }, problem }, 'records', json);
  };
  await withSwitchClient(config, timeoutMs, work, feed.spec.exchange);
}

function credentialsOf({
  CDR_USERNAME: username,
  CDR_PASSWORD: password,
}: Pick<Config, 'CDR_USERNAME' | 'CDR_PASSWORD'>): Credentials {
  return {
    ...(username !== '' && { auth_username: username }),
    ...(password !== '' && { auth_password: password }),
  };
}

async function* calls(
  files: readonly string[],
  credentials: Credentials,
  signal: AbortSignal,
): AsyncGenerator<Outgoing> {
  for (const file of files)
    for await (const { body, machine, where } of readCallFile(file, credentials, signal))
      yield { where, probe: { body, ...(machine === undefined ? {} : { machine }) } };
}
