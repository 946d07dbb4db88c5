import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { minimalDeadLetter } from '../../src/domain/dead-letter.ts';
import type { RequestProperties } from '../../src/domain/properties.ts';
import { asDecided, type Submission } from '../../src/domain/submission.ts';
import { DeadLetterRows } from '../../src/store/dead-letters/insert.ts';
import { persist } from '../../src/store/persist/persist.ts';
import { admit } from '../../src/worker/admission.ts';
import { RULES } from '../domain/admitting.ts';
import { BILLING } from '../support/billing.ts';
import { type BillingDatabase, billingDatabase, minimal } from '../support/persisting.ts';
import { NO_PROPERTIES } from '../support/requests.ts';

const FORM = 'application/x-www-form-urlencoded';

let db: BillingDatabase;

beforeAll(async () => {
  db = await billingDatabase('letters');
});

afterAll(async () => {
  await db?.drop();
});

beforeEach(async () => {
  await db.execute('truncate dead_letters, dead_letter_events, cdrs');
});

/** A message as the worker admits it, persisted. */
async function send(body: Buffer | object, properties: Partial<RequestProperties> = {}): Promise<void> {
  await persist(db.sql, [entry(body, properties)], BILLING);
}

function entry(body: Buffer | object, properties: Partial<RequestProperties> = {}): Submission {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const request = { body: bytes, bytes: bytes.length, properties: { ...NO_PROPERTIES, ...properties } };
  const admitted = admit(request, { ...RULES, maxBodyBytes: 65_536 });
  if (admitted instanceof Promise) throw new Error('this verifier answers at once');
  return admitted;
}

const deadLetters = () =>
  db.rows(
    `select reason, status, uniqueid, verified::text, deaths::text, submitted_by, responses -> 0 ->> 'key' as key,
      properties ->> 'replyTo' as "replyTo" from dead_letters order by id`,
  );
const call = (more: object) => ({ ...minimal, ...more });

describe('verified', () => {
  it.each<[string, object, Partial<RequestProperties>, string, boolean]>([
    ['a refused call', call({ scustomer: 999 }), {}, 'rejected', true],
    ['a wrong password', call({ auth_password: 'wrong' }), {}, 'unauthenticated', false],
    ['a missing password', call({ auth_password: undefined }), {}, 'rejected', false],
    ['a missing name', call({ auth_username: undefined }), {}, 'rejected', false],
    [
      'a role that may not submit, with its password',
      call({ auth_username: 'viewer' }),
      {},
      'forbidden',
      true,
    ],
    [
      'a role that may not submit, without it',
      call({ auth_username: 'viewer', auth_password: 'x' }),
      {},
      'unauthenticated',
      false,
    ],
    ['another charset', call({}), { contentType: 'application/json; charset=iso-8859-1' }, 'rejected', false],
    [
      'a body that is no JSON',
      Buffer.from('{"auth_username":"switch","auth_password":"right",'),
      {},
      'rejected',
      false,
    ],
    [
      'a name that stands twice',
      Buffer.from('{"auth_username":"switch","note":1,"note":1}'),
      {},
      'rejected',
      false,
    ],
  ])('is what the worker knows of %s', async (_, body, properties, reason, verified) => {
    await send(body, properties);
    expect(await deadLetters()).toMatchObject([{ reason, verified: String(verified) }]);
  });
});

describe('a repeat', () => {
  const refused = { ...call({ scustomer: 999, uniqueid: 'r-1' }), auth_password: undefined };
  const right = Buffer.from(JSON.stringify({ ...refused, auth_password: 'right' }));
  /** The same content under the same reason: as the broker gives it up, before anybody looks at its sender. */
  const parked = (body: Buffer, verified: boolean, replyTo: string | null): Submission => {
    const outcome = { kind: 'failed' as const, reason: 'failed' as const, error: `by ${replyTo}` };
    const { uniqueid, deadLetter } = entry(body, { replyTo });
    const kept = deadLetter();
    if (kept === null) throw new Error('there should be a letter');
    return asDecided(outcome, { uniqueid, deadLetter: () => ({ ...kept, verified }) });
  };
  const park = (verified: boolean, replyTo: string) =>
    persist(db.sql, [parked(right, verified, replyTo)], BILLING);
  const errors = () => db.rows('select error from dead_letters');

  it('of a verified sender makes an unverified dead letter his', async () => {
    await park(false, 'a');
    await park(true, 'b');
    expect(await deadLetters()).toMatchObject([
      { verified: 'true', deaths: '2', status: 'dead', replyTo: 'b' },
    ]);
    expect(await errors()).toEqual([{ error: 'by b' }]);
  });

  it('that nobody verified takes nothing from a dead letter, and changes nothing in it', async () => {
    await park(true, 'a');
    const before = await db.rows(
      'select last_dead_at::text, responses::text, properties::text from dead_letters',
    );
    await park(false, 'b');
    expect(await deadLetters()).toMatchObject([{ verified: 'true', deaths: '2', replyTo: 'a' }]);
    expect(await errors()).toEqual([{ error: 'by a' }]);
    expect(
      await db.rows('select last_dead_at::text, responses::text, properties::text from dead_letters'),
    ).toEqual(before);
  });

  it.each(['resolved', 'discarded'])(
    'that nobody verified does not open a %s dead letter',
    async (status) => {
      for (const verified of [true, false]) {
        await db.execute('truncate dead_letters');
        await park(verified, 'a');
        await db.execute(`update dead_letters set status = '${status}', closed_at = now()`);
        await park(false, 'b');
        expect(await deadLetters()).toMatchObject([{ status, deaths: '2', replyTo: 'a' }]);
      }
    },
  );

  it('of a verified sender opens a resolved dead letter again', async () => {
    await park(true, 'a');
    await db.execute(`update dead_letters set status = 'resolved', closed_at = now()`);
    await park(true, 'b');
    expect(await deadLetters()).toMatchObject([{ status: 'dead', deaths: '2' }]);
  });

  it.each([
    [[true, false], 'a'],
    [[false, true], 'b'],
  ])('within one batch is the same as one after the other: %j', async ([first, second], replyTo) => {
    await persist(db.sql, [parked(right, first === true, 'a'), parked(right, second === true, 'b')], BILLING);
    expect(await deadLetters()).toMatchObject([{ verified: 'true', deaths: '2', replyTo }]);
  });
});

describe('the digest in a row', () => {
  const digests = () => db.rows(`select encode(digest, 'hex') as digest from dead_letters order by id`);

  it('is the same with another password, and another one for what is masked to the same text', async () => {
    await send(call({ uniqueid: 'd-1', auth_password: 'wrong' }));
    await send(call({ uniqueid: 'd-1', auth_password: 'wrong too' }));
    expect(await deadLetters()).toMatchObject([{ deaths: '2' }]);
    for (const byte of [0xe8, 0xe9])
      await send(Buffer.concat([Buffer.from('uniqueid=call-'), Buffer.from([byte])]), {
        contentType: 'application/x-www-form-urlencoded; charset=iso-8859-1',
      });
    expect(await deadLetters()).toHaveLength(3);
  });

  it('is made with a key of the database, which nobody but the owner of the tables needs to read', async () => {
    const body = Buffer.from('{"auth_password":"guess me",');
    await send(body);
    const { digest } = entry(body).deadLetter() ?? {};
    expect(await digests()).not.toEqual([{ digest }]);
    expect(await db.rows(`select encode(letter_digest('\\x${digest}'), 'hex') as digest`)).toEqual(
      await digests(),
    );
    const keys = await db.rows('select length(key)::text as bytes from letter_keys');
    expect(keys).toEqual([{ bytes: '32' }]);
  });
});

describe('a row', () => {
  it('of any message has a few kilobytes more than its body, and nothing in it that cannot be stored', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`x\u0000${index}\u001b[2J`, '\ud800']),
    );
    await send(
      call({
        ...many,
        uniqueid: '\u0001'.repeat(3000),
        machine: '\u{1F600}'.repeat(3000),
        cost: 'x'.repeat(4000),
      }),
    );
    await send(Buffer.alloc(60_000, 1));
    await send(call({ scustomer: 'x' }), {
      correlationId: '\u0000'.repeat(255),
      replyTo: '\u{1F600}'.repeat(60),
      contentType: 'a\ud800b',
    });
    const rows = await db.rows(`select octet_length(d::text)::text as bytes, octet_length(body)::text as body,
      (select count(*)::text from regexp_matches(d::text, '[\\u0001-\\u001f\\u007f-\\u009f]', 'g')) as controls
      from dead_letters d order by id`);
    expect(rows).toHaveLength(3);
    for (const { bytes, body, controls } of rows) {
      expect(Number(bytes) - 2 * Number(body)).toBeLessThan(40_000);
      expect(controls).toBe('0');
    }
    expect(Number(rows[1]?.body)).toBeLessThanOrEqual(4096);
    // What can be read of a call can be read by SQL as well.
    expect(
      await db.rows(`select body::jsonb ->> 'scustomer' as customer from dead_letters where body like '{%'`),
    ).toHaveLength(2);
  });

  it.each([
    ['control characters', 1, '\u0001'],
    ['quotes', 1, '"'],
    ['backslashes', 1, '\\'],
    ['emoji', 1, '\u{1F600}'],
    ['many names', 3000, 'x'],
  ])(
    'of a batch of the most bytes that it may have (1 MiB) makes a statement of a known size: %s',
    async (_, names, part) => {
      for (const size of [2048, 65_536]) {
        const rows = new DeadLetterRows();
        const each = part.repeat(Math.floor(size / names / Buffer.byteLength(part) / 2));
        const fields = Array.from({ length: names }, (_, index): [string, string] => [`${index}`, each]);
        for (let left = 1_048_576, index = 0; left > 0 && index < 500; left -= size, index += 1) {
          const form = `uniqueid=${index}&${new URLSearchParams(fields)}`.slice(0, size);
          for (const body of [
            form,
            JSON.stringify(Object.fromEntries([['id', index], ...fields])),
            `${index}${each}`,
          ]) {
            const submission = entry(Buffer.from(body), {
              contentType: body === form ? FORM : null,
            });
            if (submission.kind === 'decided') rows.add(submission.outcome, false, submission.deadLetter);
          }
        }
        expect(rows.rows.length).toBeGreaterThan(15);
        expect(Buffer.byteLength(JSON.stringify(rows.rows))).toBeLessThan(32_000_000);
      }
    },
  );

  it('of the last resort is stored for any bytes', async () => {
    for (const body of [Buffer.alloc(70_000, 0), Buffer.from('\ud800\0'), Buffer.from([0xff, 0xfe])]) {
      const outcome = { kind: 'failed' as const, reason: 'failed' as const, error: 'x' };
      const deadLetter = () => minimalDeadLetter(body, body.length);
      await persist(db.sql, [asDecided(outcome, { uniqueid: null, deadLetter })], BILLING);
    }
    expect(await db.rows('select altered::text, verified::text from dead_letters')).toEqual(
      Array(3).fill({ altered: '{""}', verified: 'false' }),
    );
  });
});
