import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * What the version of a commit does with an empty database, as dev/version/record.ts of that commit writes it: its files
 * are taken out of git, its database client is generated, and it runs with the packages of this checkout.
 */
export function recordVersion(commit: string, databaseUrl: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'cdr-ingest-version-'));
  const run = (command: string, args: string[], env: Record<string, string> = {}) =>
    execFileSync(command, args, { cwd: folder, env: { ...process.env, ...env }, maxBuffer: 1 << 30 });
  try {
    const files = execFileSync('git', ['archive', '--format=tar', commit], { cwd: ROOT, maxBuffer: 1 << 30 });
    execFileSync('tar', ['-x', '-C', folder], { input: files });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    run(process.execPath, ['node_modules/prisma/build/index.js', 'generate'], {
      // As in dev/prepare.mjs: any file that exists satisfies it.
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
      CHECKPOINT_DISABLE: '1',
    });
    const recorded = run(process.execPath, ['--import', 'tsx', 'dev/version/record.ts'], {
      DATABASE_URL: databaseUrl,
    });
    return recorded.toString();
  } finally {
    rmSync(folder, { recursive: true });
  }
}
