import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openConnection } from '../../src/broker/connect.ts';
import { declareTopology } from '../../src/broker/declare.ts';
import { defaultNames } from '../../src/broker/topology.ts';
import { upsertUser } from '../../src/store/users.ts';
import { brokerUser } from '../support/broker-users.ts';
import { runInProcess } from '../support/in-process.ts';
import { fenced, inline, linesUnder, wordsOf } from '../support/operations-page.ts';
import { PASSWORD } from '../support/operators.ts';
import { cheapHash } from '../support/password.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { testStack } from '../support/stack.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Whose commands run below, with the exit code of each; null for one that runs elsewhere. */
const HERE: Record<string, readonly (number | null)[]> = {
  'An exchange `cdrs` of the form before': [0, 0],
  Completeness: [1, null],
  'Late calls': [0, 0, 0, 0, 0],
};

/** What runs elsewhere: the test, and what it has to do with it. */
const ELSEWHERE: readonly { line: RegExp; test: string; by: string }[] = [
  ...['Install', 'Roles of the database', 'Back up and restore'].flatMap((heading) =>
    linesUnder(heading)
      .filter((line) => !/^export |^cdr-ingest worker/.test(line))
      .map((line) => ({
        line: new RegExp(`^${escaped(line)}$`),
        test: 'test/integration/operations.test.ts',
        by: `linesUnder('${heading}')`,
      })),
  ),
  {
    line: /^export /,
    test: 'test/integration/operations.test.ts',
    by: 'DATABASE_URL: databaseUrl, AMQP_URL',
  },
  { line: /^cdr-ingest worker$/, test: 'test/integration/operations.test.ts', by: `startProcess(['worker']` },
  {
    line: /^cdr-ingest (call|invoice late)/,
    test: 'test/integration/support-desk.test.ts',
    by: 'Ten questions of a support desk',
  },
  // Over the management API, which rabbitmqctl stands beside.
  {
    line: /^rabbitmqctl (add_user worker-2|delete_user worker)\b/,
    test: 'test/faults/rotation.test.ts',
    by: 'brokerUser(',
  },
  // Waits for the answers of a worker.
  { line: /^cdr-ingest source audit .*--send/, test: 'test/commands/source-audit.test.ts', by: "'--send'" },
  ...linesUnder('Traces').map((line) => ({
    line: new RegExp(`^${escaped(line)}$`),
    test: 'test/soak/traces.test.ts',
    by: 'blockOf(',
  })),
  // Needs Docker, which not every machine has.
  { line: /^docker run /, test: 'test/soak/image.test.ts', by: 'openImageSite()' },
];

const PERMISSIONS = /^rabbitmqctl set_permissions /;
const codeOf = (heading: string, line: string) => HERE[heading]?.[linesUnder(heading).indexOf(line)];

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

const SOURCES = `pbx-1:
  exchange: from.pbx
  as: switch-1
  machines: [pbx-1]
  format: csv
  columns: [id, begin]
  header: columns
  call:
    uniqueid: id
    machine: { constant: pbx-1 }
    start: { from: begin, time: s }
    scustomer: { constant: "1" }
`;

let db: BillingDatabase;
let environment: Record<string, string>;
const directory = mkdtempSync(join(tmpdir(), 'cdr-operations-'));

beforeAll(async () => {
  db = await billingDatabase('operations-commands');
  const passwordHash = await cheapHash(PASSWORD);
  await upsertUser(db.sql, { username: 'boss', role: 'operator', passwordHash });
  await upsertUser(db.sql, { username: 'switch-1', role: 'system', passwordHash });
  await db.execute(`insert into invoices (id, customer, currency, period_start, period_end)
    values (12, 1, 'USD', now(), now() + interval '30 days')`);
  await db.persist([{ uniqueid: 'late', start: 1, end: 1, cost: '3' }]);
  writeFileSync(join(directory, 'sources.yaml'), SOURCES);
  writeFileSync(join(directory, 'cdr-2026-11-27.csv'), 'id,begin\nnever-sent,1764200000\n');
  environment = {
    ...{ DATABASE_URL: db.databaseUrl, AMQP_URL: db.amqpUrl, CDR_USERNAME: 'boss', CDR_PASSWORD: PASSWORD },
    AMQP_MANAGEMENT_URL: (await testStack()).managementUrl ?? '',
    SOURCES_FILE: join(directory, 'sources.yaml'),
  };
  const opened = await openConnection({
    ...{ url: db.amqpUrl, name: 'operations test', heartbeatSeconds: 10, connectTimeoutMs: 10_000 },
  });
  if (opened.kind === 'failed') throw new Error(opened.problem);
  await declareTopology(opened.connection, defaultNames);
  await opened.connection.close();
});
afterAll(async () => {
  await db?.drop();
  rmSync(directory, { recursive: true, force: true });
});

/** What names a kind of command, and lacks a filter. */
const NAMES = ['dead replay --dry-run'];
const PLACEHOLDERS: Record<string, string> = { NAME: 'switch-2', N: '24', M: 'm-1', ID: '1' };

/** Runs the words of a command; file names are those of the test's directory. */
async function run(words: readonly string[], input = '') {
  const args = words.map((word) => (word.endsWith('.csv') ? join(directory, word) : word));
  return await runInProcess(args, environment, input);
}

describe('in docs/operations.md', () => {
  it('every command of a block is run by a test', () => {
    const missing = fenced.filter(
      ({ language, heading, line }) =>
        language !== 'promql' &&
        language !== 'sql' &&
        typeof codeOf(heading, line) !== 'number' &&
        !PERMISSIONS.test(line) &&
        !ELSEWHERE.some((each) => each.line.test(line)),
    );
    expect(missing).toEqual([]);
    for (const { test, by } of ELSEWHERE) expect(readFileSync(`${ROOT}${test}`, 'utf8')).toContain(by);
    // kube-state-metrics, whose metric it asks for, is not among what tests can start.
    expect(fenced.filter(({ language }) => language === 'promql')).toHaveLength(1);
  });

  it.each(
    Object.entries(HERE).flatMap(([heading, codes]) =>
      linesUnder(heading).flatMap((line, index) => {
        const code = codes[index];
        return typeof code === 'number' ? [[line, code] as const] : [];
      }),
    ),
  )('`%s` exits with %s', async (line, code) => {
    const [program, ...words] = wordsOf(line);
    expect(program).toBe('cdr-ingest');
    const asked = /attach/.test(line) && !/--yes|--dry-run/.test(line) ? [...words, '--yes'] : words;
    const result = await run(asked);
    expect(result, result.stderr).toMatchObject({ code });
  });

  it.each(fenced.filter(({ language }) => language === 'sql').map(({ line }) => line))(
    'PostgreSQL takes `%s`',
    async (line) => {
      await db.prisma.$queryRawUnsafe(line);
    },
  );

  it.each(
    fenced.filter(({ line }) => PERMISSIONS.test(line)).map(({ line }) => [line, wordsOf(line)] as const),
  )('RabbitMQ takes `%s`', async (_, [, , , , , configure = '', write = '', read = '']) => {
    const user = await brokerUser(db.amqpUrl, { configure, write, read });
    await user.drop();
  });

  it.each(inline.filter((line) => !NAMES.includes(line)))('`%s` is no wrong usage', async (line) => {
    const words = wordsOf(line).map((word) => PLACEHOLDERS[word] ?? word);
    const asked = words.includes('discard') ? [...words, '--yes'] : words;
    const result = await run(asked, 'correct horse\n');
    expect(result.code, result.stderr).not.toBe(2);
  });
});
