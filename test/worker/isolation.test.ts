import { expect, it } from 'vitest';
import { fingerprint } from '../../src/domain/cdr.ts';
import { callsLike, type PersistResult } from '../../src/domain/held.ts';
import type { Submission } from '../../src/domain/submission.ts';
import { HeldRows } from '../../src/store/persist/held-rows.ts';
import type { Message } from '../../src/worker/batch.ts';
import { Isolation } from '../../src/worker/isolation.ts';
import type { Request } from '../../src/worker/request.ts';
import { call } from '../domain/references.ts';
import { databaseError } from '../simulation/fake-database.ts';
import { ACCEPTED } from '../support/outcomes.ts';
import { NO_PROPERTIES } from '../support/requests.ts';

const CUSTOMERS = 6;
const BATCH = 24;

interface Numbered extends Request {
  number: number;
}

function messages(): Message<Numbered>[] {
  return Array.from({ length: BATCH }, (_, number) => {
    const cdr = call({ uniqueid: `call-${number}`, scustomer: 1 + (number % CUSTOMERS) });
    const submission: Submission = {
      kind: 'call',
      call: {
        cdr,
        fingerprint: fingerprint(cdr),
        validationOnly: false,
        submittedBy: 'switch',
        confinement: null,
      },
      uniqueid: cdr.uniqueid,
      deadLetter: () => null,
      cleaned: 0,
    };
    return { delivery: { number, body: Buffer.alloc(0), bytes: 0, properties: NO_PROPERTIES }, submission };
  });
}

const rowOf = (submission: Submission) => (submission.kind === 'call' ? callsLike(submission.call.cdr) : '');
const noSpace = () => databaseError('53100', 'no space left');

/** A database that says that it has no room as long as `fails` says so of a statement, and answers as `isWell` says. */
function isolate(fails: (submissions: readonly Submission[]) => boolean, isWell = () => true) {
  const rows = new HeldRows();
  const isolation = new Isolation<Numbered>(
    {
      prepare: (submissions, manner) => async () => {
        const held = (one: Submission) => (manner === 'alone' ? undefined : rows.isHeld(rowOf(one)));
        if (fails(submissions.filter((one) => held(one) === undefined))) throw noSpace();
        return submissions.map((one): PersistResult => held(one) ?? ACCEPTED);
      },
      isWell: async () => isWell(),
      rows,
      isLive: () => true,
      pause: async () => undefined,
      observe: () => undefined,
    },
    { batchSize: BATCH, batchBytes: 1000 },
  );
  return { isolation, rows };
}

const heldRows = (rows: HeldRows) =>
  messages().flatMap(({ submission }) => rows.isHeld(rowOf(submission))?.row ?? []);

/** Persists until every message has come to something; at most so many rounds. */
async function persistAll(
  isolation: Isolation<Numbered>,
  rounds: number,
  fails: Parameters<typeof isolate>[0],
) {
  const results = new Map<number, PersistResult['kind']>();
  let open = messages();
  for (let round = 0; open.length > 0 && round < rounds; round += 1) {
    const submissions = open.map(({ submission }) => submission);
    const done = await isolation.persist(open, async () => {
      if (fails(submissions)) throw noSpace();
      return submissions.map(() => ACCEPTED);
    });
    const come = done.kind === 'all' ? open.map((one) => [one, ACCEPTED] as const) : [...done.results];
    for (const [{ delivery }, { kind }] of come) results.set(delivery.number, kind as PersistResult['kind']);
    open = open.filter(({ delivery }) => !results.has(delivery.number));
  }
  return results;
}

it('an outage that ends after whatever statement has no call wait for a row', async () => {
  for (let failures = 0; failures < 80; failures += 1) {
    let statements = 0;
    const fails = () => {
      statements += 1;
      return statements <= failures;
    };
    const { isolation, rows } = isolate(fails);
    const results = await persistAll(isolation, 100, fails);
    const kinds = [...results.values()];
    expect({ failures, calls: kinds.length, kinds: new Set(kinds), held: heldRows(rows) }).toEqual({
      failures,
      calls: BATCH,
      kinds: new Set(['accepted']),
      held: [],
    });
  }
});

it('a second outage, in which the database does not answer, has no call wait for what failed in the first', async () => {
  for (let first = 0; first < 40; first += 1)
    for (let between = 1; between <= 8; between += 1) {
      let statements = 0;
      const isSecond = () => statements > first + between && statements <= first + between + 20;
      const fails = () => {
        statements += 1;
        return statements <= first || isSecond();
      };
      const { isolation, rows } = isolate(fails, () => !isSecond());
      const results = await persistAll(isolation, 100, fails);
      const kinds = new Set(results.values());
      expect({ first, between, calls: results.size, kinds, held: heldRows(rows) }).toEqual({
        first,
        between,
        calls: BATCH,
        kinds: new Set(['accepted']),
        held: [],
      });
    }
});

it('the calls of one customer, whose row fails every statement, wait, and all others are stored', async () => {
  const isOfThree = (one: Submission) => one.kind === 'call' && one.call.cdr.scustomer === 3;
  const fails = (submissions: readonly Submission[]) => submissions.some(isOfThree);
  const { isolation, rows } = isolate(fails);
  const results = await persistAll(isolation, 10, fails);
  const held = [...results]
    .filter(([, kind]) => kind === 'held')
    .map(([delivery]) => 1 + (delivery % CUSTOMERS));
  expect(new Set(held)).toEqual(new Set([3]));
  expect(results.size).toBe(BATCH);
  expect(new Set(heldRows(rows)).size).toBe(1);
});
