import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './broker.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** The version that landed first. */
const FIRST = 'ddd516c';
const START_MS = 120_000;
/** Characters of its log. */
const LOG_KEPT = 10_000;

/** Takes the first version out of git, to run with the packages of this checkout. `remove` deletes it. */
export function firstVersion() {
  const folder = mkdtempSync(join(tmpdir(), 'cdr-ingest-first-'));
  const own = join(folder, 'version');
  mkdirSync(own);
  const files = execFileSync('git', ['archive', '--format=tar', FIRST], { cwd: ROOT, maxBuffer: 1 << 30 });
  execFileSync('tar', ['-x', '-C', own], { input: files });
  symlinkSync(join(ROOT, 'node_modules'), join(own, 'node_modules'));
  // Its commands print tables with a package that this version does not have. A worker prints none.
  const tables = join(folder, 'node_modules/cli-table3');
  mkdirSync(tables, { recursive: true });
  writeFileSync(join(tables, 'package.json'), '{"type": "module", "exports": "./index.js"}');
  writeFileSync(join(tables, 'index.js'), 'export default class {}');
  // As in dev/prepare.mjs: any file that exists satisfies it.
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' };
  execFileSync(process.execPath, ['node_modules/prisma/build/index.js', 'generate'], { cwd: own, env });
  return {
    /** Starts a worker and waits until it consumes; `ended` resolves with its exit code. */
    worker: async (
      environment: Record<string, string>,
    ): Promise<{ child: ChildProcess; ended: Promise<number | null> }> => {
      const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli.ts', 'worker'], {
        cwd: own,
        env: { PATH: process.env.PATH ?? '', HTTP_PORT: '0', ...environment },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const ended = once(child, 'close').then(([code]) => code as number | null);
      let log = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        log = (log + text).slice(-LOG_KEPT);
      });
      await until(() => log.includes('"queue":"cdrs.create","state":"consuming"'), START_MS);
      return { child, ended };
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
