import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Outcome } from '../../src/domain/outcome.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { persist } from '../../src/store/persist/persist.ts';
import { type Admitted, admit } from '../../src/worker/admission.ts';
import { createReply } from '../../src/worker/reply.ts';
import { BILLING } from '../support/billing.ts';
import { NO_PROPERTIES } from '../support/requests.ts';
import { migratedServices } from '../support/stack.ts';

interface Block {
  heading: string;
  language: string;
  text: string;
}

/** The code blocks of the document under "Messages to copy", each with the heading it stands under. */
function codeBlocks(): Block[] {
  const document = readFileSync(new URL('../../docs/contract.md', import.meta.url), 'utf8');
  const part = document.slice(
    document.indexOf('\n## Messages to copy'),
    document.indexOf('\n## In the database'),
  );
  const sections = part
    .split(/^#+ /m)
    .map((section) => ({ section, heading: section.split('\n', 1)[0] ?? '' }));
  return sections.flatMap(({ section, heading }) =>
    [...section.matchAll(/^```(\w+)\n(.*?)\n```$/gms)].map(([, language = '', text = '']) => ({
      heading,
      language,
      text,
    })),
  );
}

/** Pairs of what goes in and what comes out, in the order of the document. */
function pairs(blocks: readonly Block[]): { heading: string; into: Block; out: Block }[] {
  return blocks.flatMap((into, index) => {
    const out = blocks[index + 1];
    return index % 2 === 0 && out !== undefined ? [{ heading: into.heading, into, out }] : [];
  });
}

const [reference, ...rest] = codeBlocks();
const examples = pairs(rest.filter(({ language }) => language === 'json' || language === 'form'));
const results = pairs(rest.filter(({ language }) => language === 'sql' || language === 'text'));

let database: Database;
let drop: () => Promise<void>;

beforeAll(async () => {
  const services = await migratedServices('contract-doc');
  database = openDatabase({
    url: services.databaseUrl,
    poolSize: 2,
    statementTimeoutMs: 20_000,
    connectTimeoutMs: 10_000,
    applicationName: 'contract-doc',
  });
  for (const statement of reference?.text.split(/;$/m) ?? []) {
    if (statement.trim() !== '') await database.prisma.$executeRawUnsafe(statement);
  }
  drop = async () => {
    await database.close(5000);
    await services.drop();
  };
});
afterAll(() => drop());

const ROLES = new Map([
  ['switch', 'system'],
  ['auditor', 'viewer'],
]);

async function admitted(text: string, contentType: string): Promise<Admitted> {
  const body = Buffer.from(text);
  return await admit(
    { body, bytes: body.length, properties: { ...NO_PROPERTIES, contentType } },
    {
      maxBodyBytes: 65_536,
      keptBodyBytes: 4096,
      ignored: new Set(),
      systemCurrency: 'USD',
      verify: (username, password) => {
        const role = ROLES.get(username);
        if (role === undefined || password !== 'correct horse') return { kind: 'unauthenticated' };
        return { kind: 'ok', username, role };
      },
    },
  );
}

function replyOf(outcome: Outcome) {
  const rules = { resultsExchange: 'cdrs.results', allow: /^$/, ownQueues: new Set<string>() };
  const { body, headers } = createReply(NO_PROPERTIES, null, outcome, rules);
  return { envelope: JSON.parse(body.toString()), duplicate: headers.duplicate === true };
}

it('docs/contract.md shows a message and a reply of every code', () => {
  expect(reference?.language).toBe('sql');
  const codes = new Set(examples.map(({ heading }) => heading.slice(0, 3)));
  expect([...codes].sort()).toEqual(['201', '204', '400', '401', '402']);
  expect(examples.map(({ out }) => out.language)).toEqual(examples.map(() => 'json'));
  expect(results.map(({ into, out }) => [into.language, out.language])).toEqual(
    results.map(() => ['sql', 'text']),
  );
  expect(results.length).toBeGreaterThan(0);
});

// In the order of the document: some examples are about a call that an earlier one stored.
it.each(examples)(
  'the message under "$heading" gets the reply that stands below it',
  async ({ heading, into, out }) => {
    const contentType = into.language === 'form' ? 'application/x-www-form-urlencoded' : 'application/json';
    const entry = await admitted(into.text, contentType);
    const [outcome] = await persist(database.sql, [entry], BILLING);
    const reply = outcome === undefined ? undefined : replyOf(outcome);
    expect(reply?.envelope).toEqual(JSON.parse(out.text));
    expect(reply?.envelope.responses[0].code).toBe(heading.slice(0, 3));
    expect(reply?.duplicate).toBe(heading.includes('duplicate'));
  },
);

it.each(results)('the examples together moved what the document says: $into.text', async ({ into, out }) => {
  const query = `select row_to_json(r)::text as line from (${into.text.replace(/;$/, '')}) r`;
  const rows = await database.prisma.$queryRawUnsafe<{ line: string }[]>(query);
  expect(rows.map(({ line }) => line).join('\n')).toBe(out.text);
});
