import type { Command } from 'commander';
import type { SwitchClient } from '../../broker/switch-client.ts';
import { type Config, ConfigError, readConfig } from '../../config.ts';
import { brokerVariables } from '../../connections.ts';
import { counted } from '../../plural.ts';
import { withSwitchClient } from '../broker.ts';
import { finish } from '../exit.ts';
import { addUsage } from '../help.ts';
import { printJson, printLine, printTable } from '../print.ts';
import { onStopSignal } from '../signals.ts';
import { type Credentials, checkCallFiles, readCallFile } from './calls.ts';
import { type Outgoing, type Summary, sendAll } from './send.ts';

const variables = [...brokerVariables, 'CDR_USERNAME', 'CDR_PASSWORD'] as const;

/** `publish`: submits calls as a switch does and waits for the replies. */
export function registerPublish(program: Command): void {
  const command = program
    .command('publish')
    .argument('<file...>', 'JSON Lines, a JSON array or CSV; - for standard input')
    .description('Publish calls as a switch does and wait for the replies; exit 1 unless all are 2xx')
    .option('--json', 'print the summary as JSON')
    .option('--timeout <seconds>', 'how long to wait for each reply', '60')
    .action(run);
  addUsage(command, {
    examples: ['cdr-ingest publish calls.jsonl', 'zcat calls.csv.gz | cdr-ingest publish -'],
    environment: variables,
  });
}

interface Options {
  json?: boolean;
  timeout: string;
}

async function run(files: string[], options: Options): Promise<void> {
  const seconds = Number(options.timeout);
  if (!(seconds > 0)) throw new ConfigError(`--timeout: expected seconds above 0, got "${options.timeout}"`);
  const config = readConfig(variables);
  await checkCallFiles(files);
  const send = (client: SwitchClient) =>
    publish(client, (signal) => calls(files, credentialsOf(config), signal), options);
  await withSwitchClient(config, seconds * 1000, send);
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

/** Sends, prints what became of it, and throws what ended it early. SIGINT and SIGTERM end it with what is known by then. */
async function publish(
  client: SwitchClient,
  messages: (signal: AbortSignal) => AsyncIterable<Outgoing>,
  { json }: Options,
): Promise<void> {
  const stop = new AbortController();
  const release = onStopSignal(() => stop.abort());
  const { summary, problem } = await sendAll(client, messages, stop.signal);
  release();
  if (json) printJson(summary);
  else print(summary);
  if (problem !== undefined) throw problem;
  const accepted = Object.entries(summary.byCode).filter(([code]) => code.startsWith('2'));
  const isAccepted = accepted.reduce((sum, [, count]) => sum + count, 0) === summary.sent;
  finish(isAccepted && !summary.interrupted);
}

function print({ sent, byCode, duplicates, unanswered, interrupted, refused }: Summary): void {
  const rows = Object.entries(byCode).sort();
  printTable(['code', 'calls'], [...rows, ...(unanswered > 0 ? [['no reply', unanswered]] : [])]);
  printLine(`${sent} sent, ${counted(duplicates, 'duplicate')}`);
  for (const { where, responses } of refused)
    for (const { code, key, message } of responses)
      printLine(`${where}: ${code} ${key === '' ? '' : `${key}: `}${message}`);
  if (interrupted)
    printLine('interrupted: send the same again to finish it; what is stored is answered as a duplicate');
}
