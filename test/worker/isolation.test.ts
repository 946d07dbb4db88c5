import { expect, it } from 'vitest';
import { fingerprint } from '../../src/domain/cdr.ts';
import { callsLike, type Held, type PersistResult } from '../../src/domain/held.ts';
import type { Submission } from '../../src/domain/submission.ts';
import type { Entry } from '../../src/worker/admission.ts';
import { type InHand, Isolation } from '../../src/worker/isolation.ts';
import { call } from '../domain/references.ts';

const CUSTOMERS = 6;
const BATCH = 24;

function messages(): InHand<number>[] {
  return Array.from({ length: BATCH }, (_, delivery) => {
    const cdr = call({ uniqueid: `call-${delivery}`, scustomer: 1 + (delivery % CUSTOMERS) });
    const admitted: Entry = {
      uniqueid: cdr.uniqueid,
      verdict: {
        kind: 'call',
        call: {
          cdr,
          fingerprint: fingerprint(cdr),
          validationOnly: false,
          submittedBy: 'switch',
          isOutside: false,
          confinement: null,
        },
      },
      deadLetter: () => null,
      cleaned: 0,
    };
    const properties = {
      contentType: null,
      replyTo: null,
      correlationId: null,
      messageId: null,
      routingKey: '',
    };
    return { delivery, request: { body: Buffer.alloc(0), bytes: 0, properties }, admitted };
  });
}

const rowOf = ({ verdict }: Submission) => (verdict.kind === 'call' ? callsLike(verdict.call.cdr) : '');

/** A database that answers, and says that it has no room, as long as `fails` says so of a statement. */
function isolate(fails: (entries: readonly Submission[]) => boolean) {
  const rows = new Map<string, Held>();
  const isolation = new Isolation<number>(
    {
      prepare: (entries, manner) => async () => {
        const held = (entry: Submission) => (manner === 'alone' ? undefined : rows.get(rowOf(entry)));
        if (fails(entries.filter((entry) => held(entry) === undefined))) throw new Error('no space left');
        return entries.map((entry): PersistResult => held(entry) ?? { kind: 'accepted' });
      },
      classify: () => 'outage',
      describe: () => 'no space left',
      isWell: async () => true,
      hold: (row, why) => {
        const held: Held = { kind: 'held', row, why };
        rows.set(row, held);
        return held;
      },
      free: (row) => rows.delete(row),
      minimal: () => {
        throw new Error('nothing is kept');
      },
      alive: () => true,
      pause: async () => undefined,
      trouble: () => undefined,
    },
    { batchSize: BATCH, batchBytes: 1000 },
  );
  return { isolation, rows };
}

/** Persists until every message has come to something; at most so many rounds. */
async function persistAll(
  isolation: Isolation<number>,
  rounds: number,
  fails: Parameters<typeof isolate>[0],
) {
  const results = new Map<number, PersistResult['kind']>();
  let open = messages();
  for (let round = 0; open.length > 0 && round < rounds; round += 1) {
    const entries = open.map(({ admitted }) => admitted);
    const done = await isolation.persist(open, async () => {
      if (fails(entries)) throw new Error('no space left');
      return entries.map(() => ({ kind: 'accepted' as const }));
    });
    const come = Array.isArray(done) ? open.map((one) => [one, { kind: 'accepted' }] as const) : [...done];
    for (const [{ delivery }, { kind }] of come) results.set(delivery, kind as PersistResult['kind']);
    open = open.filter(({ delivery }) => !results.has(delivery));
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
    expect({ failures, calls: kinds.length, kinds: new Set(kinds), held: [...rows.keys()] }).toEqual({
      failures,
      calls: BATCH,
      kinds: new Set(['accepted']),
      held: [],
    });
  }
});

it('the calls of one customer, whose row fails every statement, wait, and all others are stored', async () => {
  const isOfThree = ({ verdict }: Submission) => verdict.kind === 'call' && verdict.call.cdr.scustomer === 3;
  const fails = (entries: readonly Submission[]) => entries.some(isOfThree);
  const { isolation, rows } = isolate(fails);
  const results = await persistAll(isolation, 10, fails);
  const held = [...results]
    .filter(([, kind]) => kind === 'held')
    .map(([delivery]) => 1 + (delivery % CUSTOMERS));
  expect(new Set(held)).toEqual(new Set([3]));
  expect(results.size).toBe(BATCH);
  expect(rows.size).toBe(1);
});
