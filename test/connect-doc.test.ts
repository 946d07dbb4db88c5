import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { feedIn, PRESETS, preset } from './sources/feeds.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const DIRECTORY = `${ROOT}docs/connect/`;
const names = readdirSync(DIRECTORY);
const pages = new Map(names.map((name) => [name, readFileSync(`${DIRECTORY}${name}`, 'utf8')]));
const readme = pages.get('README.md') ?? '';
const switches = [...pages].filter(([name]) => name !== 'README.md');

/** The presets that a page names. */
const presetsOf = (page: string) => [
  ...new Set([...page.matchAll(/sources\/([\w-]+\.yaml)/g)].map(([, name = '']) => name)),
];

/** Patterns of `rabbitmqctl set_permissions` that may write. */
const writable = (page: string) =>
  [...page.matchAll(/^rabbitmqctl set_permissions -p \S+ \S+ '.*' '(.*)' '.*'$/gm)].map(
    ([, pattern = '']) => new RegExp(pattern),
  );

const help = (...command: string[]) =>
  execFileSync(process.execPath, [`${ROOT}dist/cli.js`, ...command, '--help'], { encoding: 'utf8' });

describe('the pages of docs/connect', () => {
  it('are all in the table of README.md, and have every preset between them', () => {
    for (const [name] of switches) expect(readme).toContain(`](${name})`);
    expect(new Set(switches.flatMap(([, page]) => presetsOf(page)))).toEqual(new Set(PRESETS));
  });

  it.each(switches)(
    '%s lets the switch write to the exchange of each of its feeds, and to no other of ours',
    (_, page) => {
      const patterns = writable(page);
      expect(patterns.length).toBeGreaterThan(0);
      for (const pattern of patterns)
        for (const exchange of ['cdrs', 'cdrs.intake', 'cdrs.results', 'cdrs.dead', 'amq.default'])
          expect(exchange).not.toMatch(pattern);
      for (const name of presetsOf(page).filter((each) => each !== 'freeswitch-json-cdr.yaml')) {
        const { exchange } = feedIn(preset(name)).spec;
        expect(patterns.some((pattern) => pattern.test(exchange))).toBe(true);
      }
    },
  );

  it.each(switches)('%s names the kinds of keys that its presets look up', (_, page) => {
    for (const name of presetsOf(page)) {
      const kinds = [...preset(name).matchAll(/^ +scustomer: .*lookup: ([\w-]+)/gm)].map(([, kind]) => kind);
      for (const kind of kinds) expect(page).toContain(`\`${kind}\``);
    }
  });

  it('have in the switch what their presets read from it', () => {
    const fields = (name: string, pattern: RegExp) =>
      [...(pages.get(name) ?? '').matchAll(pattern)].map(([, field = '']) => field);
    expect(fields('kamailio.md', /[";](\w+)=\$/g)).toEqual(
      expect.arrayContaining(['ci', 'ft', 'tt', 'src', 'dst', 'acct', 'trunk', 'answered', 'code']),
    );
    const asterisk = fields('asterisk.md', /"(\w+)":"\$/g);
    const read = [...preset('asterisk-cdr-custom.yaml').matchAll(/(?:from: |callid: )(\w+)/g)].map(
      ([, field]) => field,
    );
    expect(asterisk).toEqual(expect.arrayContaining([...read, 'uniqueid', 'sequence']));
    expect(fields('cgrates.md', /"path": "\*exp\.(\w+)"/g).sort()).toEqual([
      'Account',
      'AnswerTime',
      'CGRID',
      'Cost',
      'Destination',
      'OriginID',
      'RunID',
      'SetupTime',
      'Usage',
    ]);
  });

  it('have configurations of the form that the switch reads', () => {
    for (const [, page] of pages)
      for (const [, text = ''] of page.matchAll(/^```json\n(.*?)^```$/gms))
        expect(() => JSON.parse(text)).not.toThrow();
    for (const [, json = ''] of [...pages.values()]
      .join('')
      .matchAll(/set_(?:policy|parameter) .*?'(\{.*?\})'/g))
      expect(() => JSON.parse(json)).not.toThrow();
  });

  it('name only commands and options that exist', () => {
    for (const [, page] of pages)
      for (const [, group = '', rest = ''] of page.matchAll(/cdr-ingest (\w+)([^\n`]*)/g)) {
        const [, sub] = /^ (list|test|add|replay|audit)\b/.exec(rest) ?? [];
        const text = sub === undefined ? help(group) : help(group, sub);
        for (const [option] of rest.matchAll(/--[a-z-]+/g)) expect(text).toContain(option);
      }
  });

  it('link to files that exist', () => {
    for (const [, page] of pages)
      for (const [, path = ''] of page.matchAll(/\]\(([^)#]+)\)/g))
        expect(existsSync(`${DIRECTORY}${path}`)).toBe(true);
  });
});
