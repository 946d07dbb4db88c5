import type { Command } from 'commander';
import { openSwitchClient, type SwitchClient, type SwitchReply } from '../broker/switch-client.ts';
import { defaultNames } from '../broker/topology.ts';
import { ConfigError, readConfig } from '../config.ts';
import { brokerOf, brokerVariables } from '../connections.ts';
import { CallFileError, type FileCall, readCallFile } from './calls.ts';
import { complain, printJson, printLine, printTable, progressBar } from './print.ts';

/** Calls that wait for their reply at once: enough to fill the worker's batches. */
const WINDOW = 1000;
/** Refused calls that are shown one by one; the summary counts all. */
const SHOWN_REFUSALS = 20;

interface Summary {
  sent: number;
  byCode: Record<string, number>;
  duplicates: number;
  unanswered: number;
  refused: { call: number; responses: SwitchReply['responses'] }[];
}

/** `publish`: sends calls through the switch client as a switch would and waits for the replies. */
export function registerPublish(program: Command): void {
  program
    .command('publish')
    .argument('<file...>', 'JSON Lines, a JSON array or CSV; - for standard input')
    .description('sends CDRs as a switch would, waits for the replies, exits 1 if any was not 2xx')
    .option('--json', 'prints the summary as JSON')
    .option('--timeout <seconds>', 'how long to wait for each reply', '60')
    .action(async (files: string[], options: { json?: boolean; timeout: string }) => {
      const seconds = Number(options.timeout);
      if (!(seconds > 0))
        throw new ConfigError(`--timeout: expected seconds above 0, got "${options.timeout}"`);
      const config = readConfig([...brokerVariables, 'CDR_USERNAME', 'CDR_PASSWORD']);
      const credentials = { auth_username: config.CDR_USERNAME, auth_password: config.CDR_PASSWORD };
      const given = Object.fromEntries(Object.entries(credentials).filter(([, value]) => value !== ''));
      const { urls, tls } = brokerOf(config);
      const door = await openSwitchClient(urls, defaultNames.exchange, seconds * 1000, tls);
      try {
        const summary = await publishAll(door, files, given as typeof credentials);
        if (options.json) printJson(summary);
        else print(summary);
        const accepted = Object.entries(summary.byCode).filter(([code]) => code.startsWith('2'));
        const isAllAccepted = accepted.reduce((sum, [, count]) => sum + count, 0) === summary.sent;
        process.exitCode = isAllAccepted ? 0 : 1;
      } catch (error) {
        if (!(error instanceof CallFileError) && !isMissingFile(error)) throw error;
        complain(`cdr-ingest publish: ${error.message}`);
        process.exitCode = 1;
      } finally {
        await door.close();
      }
    });
}

async function publishAll(
  door: SwitchClient,
  files: readonly string[],
  credentials: Parameters<typeof readCallFile>[1],
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
        const done: Promise<void> = submit(door, call, summary.sent, summary).finally(() => {
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

async function submit(door: SwitchClient, call: FileCall, number: number, summary: Summary): Promise<void> {
  try {
    const { text, machine } = call;
    const { responses, isDuplicate } = await door.submit({
      body: text,
      ...(machine === undefined ? {} : { machine }),
    });
    const code = responses[0]?.code ?? '';
    summary.byCode[code] = (summary.byCode[code] ?? 0) + 1;
    if (isDuplicate) summary.duplicates += 1;
    if (!code.startsWith('2') && summary.refused.length < SHOWN_REFUSALS)
      summary.refused.push({ call: number, responses });
  } catch (error) {
    summary.unanswered += 1;
    const message = error instanceof Error ? error.message : String(error);
    if (summary.refused.length < SHOWN_REFUSALS) {
      summary.refused.push({ call: number, responses: [{ code: '-', key: '', message }] });
    }
  }
}

function print(summary: Summary): void {
  const rows = Object.entries(summary.byCode).sort();
  const unanswered = summary.unanswered > 0 ? [['no reply', summary.unanswered]] : [];
  printTable(['code', 'calls'], [...rows, ...unanswered]);
  printLine(`${summary.sent} sent, ${summary.duplicates} of them stored before`);
  for (const { call, responses } of summary.refused) {
    for (const { code, key, message } of responses) {
      printLine(`call ${call}: ${code} ${key === '' ? '' : `${key}: `}${message}`);
    }
  }
}

function isMissingFile(error: unknown): error is Error {
  return (
    error instanceof Error && 'code' in error && ['ENOENT', 'EISDIR', 'EACCES'].includes(String(error.code))
  );
}
