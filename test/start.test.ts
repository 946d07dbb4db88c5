import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CTRL_C, nodeOnTerminal } from './support/terminal.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
/** With its servers and ten commands. */
const LIMIT_MS = 240_000;

interface Tried {
  command: string;
  code: number;
  output: string;
}

/** Runs the commands that were shown, in a shell that has the variables that were exported before each. */
async function tryAll(shown: string): Promise<Tried[]> {
  const lines = shown.split(/\r?\n/).map((line) => line.trim());
  const exports: string[] = [];
  const tried: Tried[] = [];
  for (const line of lines) {
    if (line.startsWith('export ')) exports.push(line);
    // Those that serve until they are stopped are tried elsewhere.
    else if (line.startsWith('node dist/cli.js') && !line.includes('cli.js console')) {
      const [, command = ''] = /^node dist\/cli\.js (.*?)(?: +#.*)?$/.exec(line) ?? [];
      tried.push({ command, ...(await shell([...exports, line].join('\n'))) });
    }
  }
  return tried;
}

function shell(script: string): Promise<{ code: number; output: string }> {
  const env = { PATH: process.env.PATH };
  return new Promise((resolve) => {
    execFile('sh', ['-c', script], { cwd: ROOT, env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), output: `${stdout}${stderr}` }),
    );
  });
}

describe('npm start on a terminal', () => {
  it('shows commands of switch, operator and console that work as they are copied', {
    timeout: LIMIT_MS,
  }, async () => {
    let tried: Tried[] = [];
    const { DATABASE_URL, AMQP_URL, ...environment } = process.env;
    const { output, code } = await nodeOnTerminal(
      // As dev/bootstrap.mjs starts it.
      ['--import', 'tsx', `${ROOT}dev/start.ts`],
      environment,
      [
        {
          shown: 'from dead_letters',
          type: async (shown) => {
            tried = await tryAll(shown);
            return CTRL_C;
          },
        },
      ],
    );
    expect(code, output).toBe(0);
    expect(output).toMatch(/node dist\/cli\.js console .*http:\/\/127\.0\.0\.1:8081/);
    const failed = tried.filter((each) => each.code !== 0);
    // Each of these files has a call that is refused.
    expect(
      failed.map(({ command, output: said }) => [command, /400 +│ 1/.test(said) ? 'one 400' : said]),
    ).toEqual([
      ['publish dev/samples/more.jsonl', 'one 400'],
      ['publish --source fs-ams-1 dev/samples/freeswitch.jsonl', 'one 400'],
    ]);
    expect(tried.map(({ command }) => command)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^dead list .*--group-by problem/),
        expect.stringMatching(/^dead show/),
        expect.stringMatching(/^dead replay .*--dry-run/),
      ]),
    );
    expect(tried.at(-1)?.output).toContain('1 resolved');
  });
});
