import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const ROWS = 10_000;

let db: BillingDatabase;

beforeAll(async () => {
  db = await billingDatabase('dead-pipes');
  await db.execute(`insert into dead_letters
      (reason, uniqueid, scustomer, machine, submitted_by, verified, responses, body, digest, cost)
    select 'rejected', 'u-' || n, n, 'm', 'switch', true, '[{"code": "400", "key": "scustomer", "message": "x"}]',
      '{"uniqueid":"u-' || n || '"}', sha256(('u-' || n)::bytea), 1
    from generate_series(1, ${ROWS}) n`);
});

afterAll(async () => {
  await db?.drop();
});

/** Runs a line of bash with `cdr` as the program; prints the exit code of each part of its pipe on stderr. */
function bash(line: string): Promise<{ stdout: string; stderr: string }> {
  const script = `cdr() { "${process.execPath}" "${CLI}" "$@"; }; ${line}; echo "\${PIPESTATUS[@]}" >&2`;
  const env = { PATH: process.env.PATH, DATABASE_URL: db.databaseUrl };
  return new Promise((resolve) => {
    execFile('bash', ['--norc', '-c', script], { env, maxBuffer: 1e8 }, (_error, stdout, stderr) => {
      resolve({ stdout, stderr });
    });
  });
}

describe('a pipe whose reader has seen enough', () => {
  it.each([
    ['cdr dead export | head -1', 1],
    ['cdr dead export --csv | head -1', 1],
    ['cdr dead export --json | head -2', 2],
    ['cdr dead list --json | head -2', 2],
    [`cdr dead list --limit ${ROWS} | head -5`, 5],
    [`cdr dead list --group-by uniqueid --limit ${ROWS} | head -5`, 5],
    ['cdr dead list --group-by uniqueid --json | head -5', 5],
  ])('ends `%s` silently, as SIGPIPE ends other tools', async (line, count) => {
    const { stdout, stderr } = await bash(line);
    expect({ stderr, lines: stdout.split('\n').length - 1 }).toEqual({ stderr: '141 0\n', lines: count });
  });
});

describe('a large table', () => {
  it('of 10,000 rows is printed in seconds', async () => {
    const started = performance.now();
    const { stdout, stderr } = await bash(`cdr dead list --limit ${ROWS} | cat`);
    expect(stderr).toBe('0 0\n');
    expect(stdout.match(/u-\d+/g)).toHaveLength(ROWS);
    process.stdout.write(`${ROWS} rows: ${Math.round(performance.now() - started)} ms\n`);
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});

describe('dead list --limit', () => {
  it('limits rows, and says how many there are', async () => {
    const { stdout } = await bash('cdr dead list --limit 3');
    expect(stdout.match(/u-\d+/g)).toHaveLength(3);
    expect(stdout).toContain(`Showing 3 of ${ROWS}. Use --limit for more, or "dead export" for all.`);
  });

  it('limits groups with --group-by, the largest first', async () => {
    const { stdout } = await bash('cdr dead list --group-by uniqueid --limit 3');
    expect(stdout.match(/u-\d+/g)).toHaveLength(3);
    expect(stdout).toContain('Showing the 3 largest groups. Use --limit for more.');
    const json = await bash('cdr dead list --group-by uniqueid --limit 3 --json');
    expect(JSON.parse(json.stdout)).toHaveLength(3);
    const all = await bash('cdr dead list --group-by uniqueid --json');
    expect(JSON.parse(all.stdout)).toHaveLength(ROWS);
  });
});
