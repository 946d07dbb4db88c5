import type { Command } from 'commander';
import type { SwitchClient, SwitchReply } from '../broker/switch-client.ts';
import { ConfigError, readConfig } from '../config.ts';
import { brokerVariables } from '../connections.ts';
import { counted } from '../plural.ts';
import { withSwitchClient } from './broker.ts';
import { type Credentials, type FileCall, readCallFile } from './calls.ts';
import { finish } from './exit.ts';
import { addUsage } from './help.ts';
import { printJson, printLine, printTable, progressBar } from './print.ts';

const variables = [...brokerVariables, 'CDR_USERNAME', 'CDR_PASSWORD'] as const;

/** Calls that await their reply at once: enough to fill the worker's batches. */
const WINDOW = 1000;
/** Refused calls that are printed one by one; the summary counts all. */
const SHOWN_REFUSALS = 20;

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

interface Summary {
  sent: number;
  byCode: Record<string, number>;
  duplicates: number;
  unanswered: number;
  refused: { call: number; responses: SwitchReply['responses'] }[];
}

async function run(files: string[], options: { json?: boolean; timeout: string }): Promise<void> {
  const seconds = Number(options.timeout);
  if (!(seconds > 0)) throw new ConfigError(`--timeout: expected seconds above 0, got "${options.timeout}"`);
  const config = readConfig(variables);
  const credentials: Credentials = {
    ...(config.CDR_USERNAME !== '' && { auth_username: config.CDR_USERNAME }),
    ...(config.CDR_PASSWORD !== '' && { auth_password: config.CDR_PASSWORD }),
  };
  await withSwitchClient(config, seconds * 1000, async (client) => {
    const summary = await publishAll(client, files, credentials);
    if (options.json) printJson(summary);
    else print(summary);
    const accepted = Object.entries(summary.byCode).filter(([code]) => code.startsWith('2'));
    finish(accepted.reduce((sum, [, count]) => sum + count, 0) === summary.sent);
  });
}

async function publishAll(
  client: SwitchClient,
  files: readonly string[],
  credentials: Credentials,
): Promise<Summary> {
  const summary: Summary = { sent: 0, byCode: {}, duplicates: 0, unanswered: 0, refused: [] };
  const bar = progressBar('{bar} {value} answered | {duration_formatted} | {rate}/s');
  const started = performance.now();
  const open = new Set<Promise<void>>();
  let answered = 0;
  bar.start(0, 0, { rate: 0 });
  try {
    for (const file of files) {
      for await (const call of readCallFile(file, credentials)) {
        summary.sent += 1;
        const done: Promise<void> = submit(client, call, summary.sent, summary).finally(() => {
          open.delete(done);
          answered += 1;
          bar.setTotal(summary.sent);
          bar.update(answered, { rate: Math.round(answered / ((performance.now() - started) / 1000)) });
        });
        open.add(done);
        if (open.size >= WINDOW) await Promise.race(open);
      }
    }
  } finally {
    await Promise.all(open);
    bar.stop();
  }
  return summary;
}

async function submit(
  client: SwitchClient,
  { text, machine }: FileCall,
  number: number,
  summary: Summary,
): Promise<void> {
  const refuse = (responses: SwitchReply['responses']) => {
    if (summary.refused.length < SHOWN_REFUSALS) summary.refused.push({ call: number, responses });
  };
  try {
    const probe = { body: text, ...(machine === undefined ? {} : { machine }) };
    const { responses, isDuplicate } = await client.submit(probe);
    const code = responses[0]?.code ?? '';
    summary.byCode[code] = (summary.byCode[code] ?? 0) + 1;
    if (isDuplicate) summary.duplicates += 1;
    if (!code.startsWith('2')) refuse(responses);
  } catch (error) {
    summary.unanswered += 1;
    refuse([{ code: '-', key: '', message: error instanceof Error ? error.message : String(error) }]);
  }
}

function print({ sent, byCode, duplicates, unanswered, refused }: Summary): void {
  const rows = Object.entries(byCode).sort();
  printTable(['code', 'calls'], [...rows, ...(unanswered > 0 ? [['no reply', unanswered]] : [])]);
  printLine(`${sent} sent, ${counted(duplicates, 'duplicate')}`);
  for (const { call, responses } of refused)
    for (const { code, key, message } of responses)
      printLine(`call ${call}: ${code} ${key === '' ? '' : `${key}: `}${message}`);
}
