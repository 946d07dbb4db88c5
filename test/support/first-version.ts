import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** The version that landed first. */
const FIRST = 'ddd516c';

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
    /** Starts a worker; `ended` resolves with its exit code. */
    worker: (environment: Record<string, string>): { child: ChildProcess; ended: Promise<number | null> } => {
      const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli.ts', 'worker'], {
        cwd: own,
        env: { PATH: process.env.PATH ?? '', HTTP_PORT: '0', ...environment },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      return { child, ended: once(child, 'close').then(([code]) => code as number | null) };
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
