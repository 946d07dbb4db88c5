import { existsSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { unpackedPackages } from '../../dev/stack/packages.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/**
 * A real browser: this machine's, else Debian's chromium, unpacked into the cache as the servers are (113 MB to
 * download the first time) and not installed.
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
  const tree = await unpackedPackages('chromium', ['chromium'], say);
  const places = ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu'];
  const libraries = places.flatMap((path) => [join(tree, path), join(tree, path, 'pulseaudio')]);
  const fonts = `${tree}.fonts.conf`;
  // What was there already is not in the tree, so both places are looked at.
  const dirs = [join(tree, 'usr/share/fonts'), '/usr/share/fonts'].map((dir) => `<dir>${dir}</dir>`).join('');
  writeFileSync(fonts, `<fontconfig>${dirs}<cachedir>${tree}.fonts</cachedir></fontconfig>`);
  const given = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return {
    executablePath: join(tree, 'usr/lib/chromium/chromium'),
    env: { ...Object.fromEntries(given), LD_LIBRARY_PATH: libraries.join(delimiter), FONTCONFIG_FILE: fonts },
  };
}
