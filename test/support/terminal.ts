import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
/** How every question of a command ends. */
const QUESTION = '[y/N]';
const LIMIT_MS = 60_000;

/**
 * Runs a command on a terminal of its own, which `script` of util-linux makes, and answers each of its questions.
 *
 * @param beforeAnswer what happens while a question waits
 */
export async function onTerminal(
  args: readonly string[],
  environment: Record<string, string>,
  answers: readonly string[],
  beforeAnswer: () => Promise<void> = async () => undefined,
): Promise<{ output: string; code: number | null }> {
  const command = `exec ${[process.execPath, CLI, ...args].map(quoted).join(' ')}`;
  const env = { PATH: process.env.PATH ?? '', TERM: 'dumb', ...environment };
  const child = spawn('script', ['-qec', command, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  let output = '';
  let asked = 0;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
    const questions = output.split(QUESTION).length - 1;
    for (; asked < questions; asked += 1) {
      const answer = answers[asked] ?? '';
      void beforeAnswer().then(() => child.stdin.write(`${answer}\r`));
    }
  });
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { output: output.replaceAll('\r\n', '\n'), code };
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
