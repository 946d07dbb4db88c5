import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const LIMIT_MS = 60_000;

/** What to type once this text is there. */
export interface Step {
  shown: string;
  /** The keys; or what happens before they are typed, given all that was shown. */
  type: string | ((output: string) => Promise<string>);
}

export const CTRL_C = '\x03';

export interface Ended {
  output: string;
  code: number | null;
}

/** Runs a command of the product on a terminal, and types what the steps say, one after the other. */
export async function onTerminal(
  args: readonly string[],
  environment: Record<string, string>,
  steps: readonly Step[],
): Promise<Ended> {
  return await nodeOnTerminal([CLI, ...args], { PATH: process.env.PATH ?? '', ...environment }, steps);
}

/** The same with any program of Node. The terminal is one that `script` of util-linux makes. */
export async function nodeOnTerminal(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  steps: readonly Step[],
): Promise<Ended> {
  const command = `exec ${[process.execPath, ...args].map(quoted).join(' ')}`;
  const env = { ...environment, TERM: 'dumb' };
  const child = spawn('script', ['-qec', command, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  let [output, next, read] = ['', 0, 0];
  let problem: unknown;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
    for (let step = steps[next]; step !== undefined; step = steps[next]) {
      const at = output.indexOf(step.shown, read);
      if (at < 0) return;
      [read, next] = [at + step.shown.length, next + 1];
      const { type } = step;
      const keys = typeof type === 'string' ? Promise.resolve(type) : type(output);
      keys.then(
        (typed) => child.stdin.write(typed),
        (error: unknown) => {
          problem = error;
          child.kill('SIGKILL');
        },
      );
    }
  });
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  if (problem !== undefined) throw problem;
  return { output: output.replaceAll('\r\n', '\n'), code };
}

/** Answers the question of a command, after something has happened meanwhile. */
export function answering(answer: 'y' | 'n', meanwhile: () => Promise<unknown> = async () => {}): Step[] {
  return [{ shown: '[y/N]', type: () => meanwhile().then(() => `${answer}\r`) }];
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
