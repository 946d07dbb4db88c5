import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deadReasons } from '../../src/domain/outcome.ts';
import { deadLetterStatuses } from '../../src/domain/record.ts';
import { type OperatorSite, openOperatorSite } from '../support/operators.ts';

const page = readFileSync(new URL('../../docs/dead-letters.md', import.meta.url), 'utf8');
const commands = [...page.matchAll(/^cdr-ingest dead (.+)$/gm)].map(([, line = '']) =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? ''),
);

let site: OperatorSite;
let folder: string;

beforeAll(async () => {
  site = await openOperatorSite('dead-letters-doc');
  await site.submit({ uniqueid: 'doc-1', scustomer: 4711 });
  await site.submit({ uniqueid: 'doc-2', scustomer: 4712 });
  await site.submit({ uniqueid: 'doc-3', cots: '2', cost: '', colour: 'red' });
  await site.client.submit({ body: '{"uniqueid":"doc-4","scustomer":1,' });
  folder = await mkdtemp(join(tmpdir(), 'dead-letters-doc-'));
  await writeFile(join(folder, 'call.json'), '{"uniqueid":"doc-4","machine":"m","start":1,"scustomer":1}');
});

afterAll(async () => {
  await site?.close();
  await rm(folder, { recursive: true });
});

/** For each command of the page. */
const COMMAND_MS = 15_000;

describe('docs/dead-letters.md', () => {
  it('shows commands that do what they say, in their order', {
    timeout: commands.length * COMMAND_MS,
  }, async () => {
    expect(commands.length).toBeGreaterThan(8);
    const results = [];
    for (const args of commands) {
      // The customer that the page gives to the first dead letter.
      if (args.includes('scustomer=123'))
        await site.db.execute(`insert into customers (id, name, currency) values (123, 'doc', 'USD')`);
      const { code } = await site.dead(args.map((arg) => (arg === 'call.json' ? join(folder, arg) : arg)));
      results.push([args.join(' '), code]);
    }
    // These meet customers that still do not exist.
    const isRefused = (args: string[]) => args.includes('--abort-over') || args.includes('--dry-run');
    expect(results).toEqual(commands.map((args) => [args.join(' '), isRefused(args) ? 1 : 0]));
    expect(
      await site.db.rows(
        `select uniqueid, scustomer::text, trim_scale(cost)::text as cost, replayed_by from cdrs order by uniqueid`,
      ),
    ).toEqual([
      { uniqueid: 'doc-1', scustomer: '123', cost: '1.5', replayed_by: 'boss' },
      { uniqueid: 'doc-3', scustomer: '1', cost: '2', replayed_by: 'boss' },
      { uniqueid: 'doc-4', scustomer: '1', cost: '0', replayed_by: 'boss' },
    ]);
    expect(await site.db.rows(`select status from dead_letters order by id`)).toEqual([
      { status: 'resolved' },
      { status: 'discarded' },
      { status: 'resolved' },
      { status: 'resolved' },
    ]);
  });

  it('shows the pictures of the console that there are, each of them', () => {
    const shown = [...page.matchAll(/\]\(images\/([^)]+)\)/g)].map(([, name = '']) => name);
    const there = readdirSync(new URL('../../docs/images', import.meta.url));
    expect([...new Set(shown)].sort()).toEqual(there.filter((name) => name.startsWith('console-')).sort());
  });

  it.each(['dead-letters.md', 'interface.md'])(
    'names every reason and every status, as docs/%s does',
    (name) => {
      const text = readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
      const missing = [...deadReasons, ...deadLetterStatuses].filter((word) => !text.includes(`\`${word}\``));
      expect(missing).toEqual([]);
    },
  );
});
