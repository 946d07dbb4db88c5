import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The version that landed first. */
export const FIRST_VERSION = 'ddd516c';

/** An older version, built with the packages that it was built with then. */
export interface OlderVersion {
  cli: string;
  remove: () => void;
}

/** Whether this checkout has the history with the commit; one that was downloaded or is shallow has not. */
export function isKnown(commit: string): boolean {
  return spawnSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: ROOT }).status === 0;
}

/** Takes the files of a commit out of git, and installs and builds them as they say themselves. */
export async function buildVersion(commit: string): Promise<OlderVersion> {
  const folder = mkdtempSync(join(tmpdir(), 'cdr-ingest-older-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const archive = join(folder, 'archive.tar');
    await run('git', ['archive', '--format=tar', `--output=${archive}`, commit], { cwd: ROOT });
    await run('tar', ['-x', '-f', archive, '-C', folder]);
    await run(process.execPath, ['dev/bootstrap.mjs', 'build'], { cwd: folder, maxBuffer: 1 << 26 });
  } catch (error) {
    remove();
    throw error;
  }
  return { cli: join(folder, 'dist', 'cli.js'), remove };
}
