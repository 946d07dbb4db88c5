import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/broker.ts';
import type { CommandResult } from '../support/in-process.ts';
import { runInProcess } from '../support/in-process.ts';
import { type OperatorSite, openOperatorSite, runCommand } from '../support/operators.ts';

const page = readFileSync(new URL('../../docs/dead-letters-night.md', import.meta.url), 'utf8');

/** The commands of each section, by its heading. */
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((text) => {
      const commands = [...text.matchAll(/^cdr-ingest (.+)$/gm)].map(([, line = '']) => wordsOf(line));
      return [text.split('\n')[0] ?? '', commands] as const;
    }),
);

function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

let site: OperatorSite;

/** Enough, at one a second, for a replay that is stopped by another command in its midst. */
const MISSING = 30;

/** What the page tells of: a switch that misspells, a customer who is missing, a uniqueid sent twice, test calls. */
beforeAll(async () => {
  site = await openOperatorSite('dead-letters-night');
  for (const [index, snumber] of ['31205550101', '31205550102', '31205550103'].entries())
    await site.submit({ uniqueid: `cots-${index}`, snumber, cost: undefined, cots: '0.5' });
  for (let index = 0; index < MISSING; index += 1)
    await site.submit({ uniqueid: `new-${index}`, scustomer: 4711, machine: 'm-2' });
  await site.submit({ uniqueid: 'night-1', cost: '1' });
  await site.submit({ uniqueid: 'night-1', cost: '2' });
  for (const uniqueid of ['lab-1', 'lab-2'])
    await site.submit({ uniqueid, machine: 'lab-1', currency: 'XXX' });
});

afterAll(async () => {
  await site?.close();
});

const run = (command: readonly string[]) => runInProcess(command, site.environment);

/** Runs the commands of the section that begins like this; all must do what they are there for. */
async function task(beginning: string): Promise<CommandResult[]> {
  const commands = [...sections].find(([heading]) => heading.startsWith(beginning))?.[1] ?? [];
  const results: CommandResult[] = [];
  for (const command of commands) {
    const result = await run(command);
    expect(result.code, `${command.join(' ')}\n${result.stdout}${result.stderr}`).toBe(0);
    results.push(result);
  }
  return results;
}

const statuses = async (where: string) =>
  (await site.db.rows(`select status from dead_letters where ${where} order by id`)).map(
    ({ status }) => status,
  );

describe('docs/dead-letters-night.md', { timeout: 120_000 }, () => {
  it('has ten tasks, none of more than three commands', () => {
    const tasks = [...sections].filter(([heading]) => /^\d+\./.test(heading));
    expect(tasks.map(([heading]) => Number.parseInt(heading, 10))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(Math.max(...tasks.map(([, commands]) => commands.length))).toBeLessThanOrEqual(3);
  });

  it('finds the problems, one call, and what can be done about it', async () => {
    const [problems] = await task('1.');
    expect(problems?.stdout).toMatch(/rejected +│ scustomer +│ +30 /);
    expect(problems?.stdout).toMatch(/rejected +│ cots +│ +3 /);
    const [found] = await task('2.');
    expect(found?.stdout).toContain('cots-0');
    expect(found?.stdout).not.toContain('cots-1');
    const [shown] = await task('3.');
    expect(shown?.stdout).toContain('--rename cots=cost');
  });

  it('mends, tries and replays exactly what was tried', async () => {
    const [tried] = await task('4.');
    expect(tried?.stdout).toContain('--dry-run-id 1');
    expect(await statuses(`uniqueid like 'cots-%'`)).toEqual(['dead', 'dead', 'dead']);
    await task('5.');
    expect(await statuses(`uniqueid like 'cots-%'`)).toEqual(['resolved', 'resolved', 'resolved']);
    expect(
      await site.db.rows(
        `select distinct trim_scale(cost)::text as cost from cdrs where uniqueid like 'cots-%'`,
      ),
    ).toEqual([{ cost: '0.5' }]);
  });

  it('stops a replay from another terminal, and resumes it', async () => {
    await site.db.execute(`insert into customers (id, name, currency) values (4711, 'late', 'USD')`);
    const [replay = [], list = [], stop = []] = sections.get('6. Stop a replay') ?? [];
    const running = runCommand(replay, site.environment);
    await until(async () => (await statuses(`uniqueid like 'new-%' and status = 'resolved'`)).length > 0);
    expect((await run(list)).stdout).toMatch(/2 +│ .*running/);
    expect((await run(stop)).code).toBe(0);
    expect(await running).toMatchObject({ code: 1, stdout: expect.stringContaining('--resume 2') });
    expect(await statuses(`uniqueid like 'new-%' and status = 'dead'`)).not.toEqual([]);
    await task('7.');
    expect(new Set(await statuses(`uniqueid like 'new-%'`))).toEqual(new Set(['resolved']));
  });

  it('discards and reopens', async () => {
    await task('8.');
    expect(await statuses(`machine = 'lab-1'`)).toEqual(['discarded', 'discarded']);
    await task('9.');
    expect(await statuses(`machine = 'lab-1'`)).toEqual(['dead', 'dead']);
  });

  it('decides a conflict either way', async () => {
    await task('10.');
    const calls = await site.db.rows(
      `select uniqueid, trim_scale(cost)::text as cost from cdrs where uniqueid like 'night-%' order by 1`,
    );
    expect(calls).toEqual([
      { uniqueid: 'night-1', cost: '1' },
      { uniqueid: 'night-2', cost: '2' },
    ]);
  });

  it('exports what was stored for finance, and tells who did what; the books are right', async () => {
    const [exported, log] = await task('In the morning');
    const rows = parse<Record<string, string>>(exported?.stdout ?? '', { bom: true, columns: true });
    expect(rows).toHaveLength(3 + MISSING + 1);
    expect(
      rows.every(({ charged, customer_currency }) => charged !== '' && customer_currency === 'USD'),
    ).toBe(true);
    for (const act of [
      'dry run',
      'replay started',
      'replay stopped',
      'replay resumed',
      'discarded',
      'reopened',
      'exported',
    ])
      expect(log?.stdout).toContain(act);
  });
});
