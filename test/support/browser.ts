import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { unpackedPackages } from '../../dev/stack/packages.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/**
 * A real browser: this machine's, else Debian's chromium, unpacked into the cache as the servers are (about 100 MB
 * the first time) and not installed.
 */
export async function openBrowser(): Promise<Browser> {
  const installed = (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => NAMES.map((name) => join(folder, name)))
    .find((path) => existsSync(path));
  const program = installed === undefined ? await unpacked() : { executablePath: installed };
  // Root, as in a container, has no sandbox to give.
  return await chromium.launch({ ...program, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

async function unpacked() {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const tree = await unpackedPackages('chromium', ['chromium', 'fonts-dejavu-core'], say);
  const libraries = ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu', 'usr/lib'].map((path) =>
    join(tree, path),
  );
  return {
    executablePath: join(tree, 'usr/lib/chromium/chromium'),
    env: {
      ...(Object.fromEntries(
        Object.entries(process.env).filter(([, value]) => value !== undefined),
      ) as Record<string, string>),
      LD_LIBRARY_PATH: libraries.join(delimiter),
      FONTCONFIG_SYSROOT: tree,
    },
  };
}
