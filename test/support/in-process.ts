import { Readable } from 'node:stream';
import { vi } from 'vitest';
import { runCommand } from '../../src/commands/run.ts';

export interface CommandResult {
  stdout: string;
  stderr: string;
  code: number | null;
}

let before: Promise<unknown> = Promise.resolve();

/**
 * Runs `cdr-ingest …` within the test's own process: a tenth of what a process of its own costs, for tests that are not about
 * processes. One at a time, because a process has one standard output. Not for `migrate`, which ends its process, nor for
 * what logs, which writes past the standard output that can be seen here.
 *
 * @param input what it finds on its standard input
 */
export function runInProcess(
  args: readonly string[],
  environment: Record<string, string>,
  input = '',
): Promise<CommandResult> {
  const running = before.then(() => runAlone(args, environment, input));
  before = running.catch(() => undefined);
  return running;
}

async function runAlone(
  args: readonly string[],
  environment: Record<string, string>,
  input: string,
): Promise<CommandResult> {
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((chunk, ...rest) => {
      output[stream].push(Buffer.from(chunk));
      for (const done of rest) if (typeof done === 'function') done();
      return true;
    }),
  );
  const stdin = vi
    .spyOn(process, 'stdin', 'get')
    .mockReturnValue(Readable.from([input]) as typeof process.stdin);
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  try {
    await runCommand(args);
    // With its byte order mark, which spreadsheets want.
    const written = (chunks: Buffer[]) =>
      new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(chunks));
    return {
      code: Number(process.exitCode ?? 0),
      stdout: written(output.stdout),
      stderr: written(output.stderr),
    };
  } finally {
    process.exitCode = undefined;
    vi.unstubAllEnvs();
    for (const spy of [...spies, stdin]) spy.mockRestore();
  }
}
