import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { sampleCalls } from '../dev/samples/calls.ts';
import { sampleRecords } from '../dev/samples/freeswitch.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const readme = readFileSync(`${ROOT}README.md`, 'utf8');
const scripts = (
  JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { scripts: Record<string, string> }
).scripts;
const help = execFileSync(process.execPath, [`${ROOT}dist/cli.js`, '--help'], { encoding: 'utf8' });

describe('the README', () => {
  it('names only commands that exist, and all of them', () => {
    const named = [...readme.matchAll(/^\| `(\w+)/gm), ...readme.matchAll(/dist\/cli\.js (\w+)/g)].map(
      ([, name = '']) => name,
    );
    const existing = [...help.matchAll(/^ {2}(\w+)/gm)]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'help');
    expect(new Set(named)).toEqual(new Set(existing));
  });

  it('names only npm scripts that exist', () => {
    const named = [...readme.matchAll(/npm (?:run )?([a-z:]+)/g)].map(([, name = '']) => name);
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  it('shows calls that the sample has', () => {
    const shown = [...readme.matchAll(/^│ (.+?) +│ \d{3} /gm)].map(([, name = '']) => name);
    const calls = sampleCalls(0, { auth_username: '', auth_password: '' });
    const sample = [...calls, ...sampleRecords(0)].map(({ shows }) => shows);
    expect(shown.length).toBeGreaterThan(2);
    expect(sample).toEqual(expect.arrayContaining(shown));
  });

  it('links to pages that exist', () => {
    const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map(([, path = '']) => path);
    expect(links.filter((path) => !existsSync(`${ROOT}${path}`))).toEqual([]);
  });
});
