import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { readBody } from '../../src/domain/body.ts';
import { type Cdr, fingerprint, toCdr } from '../../src/domain/cdr.ts';
import {
  type Parameters as AllParameters,
  isDecimal,
  parameterNames,
  parameters,
  readCall,
} from '../../src/domain/contract.ts';
import { responsesTo } from '../../src/domain/reply.ts';
import { validate } from '../../src/domain/validate.ts';
import { type AdmissionRules, type Admitted, admit } from '../../src/worker/admission.ts';
import { TABLE } from './contract-table.ts';
import { fuzz } from './fuzzing.ts';

const CANARY = 'c4n4ry';
const RULES: AdmissionRules = {
  maxBodyBytes: 2000,
  keptBodyBytes: 4096,
  ignored: new Set(['ignored']),
  systemCurrency: 'USD',
  verify: (username, password) =>
    password === CANARY ? { kind: 'ok', username, role: 'system' } : { kind: 'unauthenticated' },
};
const FORM = 'application/x-www-form-urlencoded';

function admitAt(body: Buffer, contentType: string | null): Admitted {
  const properties = { contentType, replyTo: null, correlationId: null, messageId: null, routingKey: '' };
  const admitted = admit({ body, bytes: body.length, properties }, RULES);
  if (admitted instanceof Promise) throw new Error('this verifier answers at once');
  return admitted;
}

/** Everything that is stored, answered or shown of a message. */
function expectOneAnswer(admitted: Admitted): string {
  const deadLetter = admitted.deadLetter();
  expect(
    `${deadLetter.body}${deadLetter.uniqueid}${deadLetter.machine}${deadLetter.submittedBy}`,
  ).not.toMatch(/\0|\p{Cs}/u);
  if (admitted.kind !== 'decided') return JSON.stringify([admitted, deadLetter]);
  const responses = responsesTo(admitted.outcome);
  expect(responses.length).toBeGreaterThan(0);
  for (const { code } of responses) expect(['400', '401', '402']).toContain(code);
  return JSON.stringify([admitted, deadLetter, responses]);
}

const contentTypes = fc.constantFrom(
  null,
  'application/json',
  FORM,
  'text/plain',
  'application/json; charset=utf-16',
);
const literals = fc.constantFrom(...TABLE.flatMap(({ cases }) => cases.flatMap(({ json }) => json ?? [])));
const names = fc.oneof(
  fc.constantFrom<string>(...parameterNames, 'ignored', 'zebra', '__proto__', ''),
  fc.string({ unit: 'binary', maxLength: 8 }),
);

/** Text of a JSON object whose names may repeat and whose values may be anything. */
const jsonText = fc
  .array(fc.tuple(names, fc.oneof(literals, fc.json({ maxDepth: 3 }), fc.constant('1e400'))), {
    maxLength: 12,
  })
  .map((members) => `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`);

/** Calls that are accepted or nearly so: each parameter one of its own cases, mostly those that are fine. */
const callText = fc
  .tuple(
    ...TABLE.map(({ name, cases }) =>
      fc
        .option(fc.constantFrom(...cases), { freq: 2 })
        .map((chosen) =>
          chosen?.json === undefined || typeof chosen.expected === 'symbol' ? [] : [[name, chosen.json]],
        ),
    ),
  )
  .map((members) => {
    const least = [
      ['uniqueid', '"a"'],
      ['machine', '1'],
      ['start', '0'],
      ['scustomer', '1'],
    ];
    const times = [
      ['end', '253402300799'],
      ['talktime', '0'],
      ['totaltime', '0'],
    ];
    const who = [
      ['auth_username', '"u"'],
      ['auth_password', `"${CANARY}"`],
    ];
    const given = new Map(
      [...least, ...members.flat(), ...times, ...who].map(([name = '', json = '']) => [name, json]),
    );
    return `{${[...given].map(([name, json]) => `"${name}":${json}`).join(',')}}`;
  });

it('any bytes get exactly one answer', () => {
  fuzz(
    fc.property(fc.uint8Array({ maxLength: 2100 }), contentTypes, (bytes, contentType) => {
      expectOneAnswer(admitAt(Buffer.from(bytes), contentType));
    }),
  );
});

it('any text gets exactly one answer', () => {
  fuzz(
    fc.property(fc.string({ unit: 'binary' }), contentTypes, (text, contentType) => {
      expectOneAnswer(admitAt(Buffer.from(text), contentType));
      expectOneAnswer(admitAt(Buffer.from(`auth_username=u;auth_password=x;${text}`), FORM));
    }),
  );
});

it('any JSON gets exactly one answer', () => {
  fuzz(
    fc.property(fc.oneof(fc.json(), jsonText), contentTypes, (text, contentType) => {
      expectOneAnswer(admitAt(Buffer.from(text), contentType));
    }),
  );
});

it('the password is in no submission, dead letter or reply, wherever a message is broken', () => {
  const broken = fc.tuple(
    fc.oneof(jsonText, callText),
    fc.nat(),
    fc.string({ unit: 'binary', maxLength: 3 }),
  );
  const key = fc.constantFrom('auth_password', 'AUTH_PASSWORD', 'auth_p\\u0061ssword', 'Password', 'pwd');
  fuzz(
    fc.property(broken, key, contentTypes, ([given, at, dirt], name, contentType) => {
      const text = given.replace(`,"auth_password":"${CANARY}"`, '');
      const secret = `"${name}":"${CANARY}"`;
      const whole = text === '{}' ? `{${secret}}` : `{${secret},${text.slice(1)}`;
      // Dirt within the key would make it another key, and the password its value.
      const cut = secret.length + 1 + (at % (whole.length - secret.length));
      for (const body of [whole, `${whole.slice(0, cut)}${dirt}${whole.slice(cut)}`, whole.slice(0, cut)]) {
        expect(expectOneAnswer(admitAt(Buffer.from(body), contentType))).not.toContain(CANARY);
      }
    }),
  );
});

function read(text: string): Cdr {
  const body = readBody(text, 'json', isDecimal);
  const validation = validate(body.kind === 'fields' ? body.fields : {}, new Set());
  if (validation.kind === 'invalid') throw new Error(JSON.stringify(validation.errors));
  return toCdr(validation.call, 'USD');
}

const callOf = ({ auth_username, auth_password, validation, ...call }: AllParameters) => call;

it('a body is read as zod by itself reads the same parameters', () => {
  const byItself = z.strictObject(parameters.shape);
  const more = fc.option(fc.tuple(names, literals), { freq: 2 });
  fuzz(
    fc.property(callText, more, (text, added) => {
      const addition = added === null ? '' : `,${JSON.stringify(added[0])}:${added[1]}`;
      const body = readBody(`${text.slice(0, -1)}${addition}}`, 'json', isDecimal);
      const expected = byItself.safeParse(body.fields);
      expect(parameters.safeParse(body.fields)).toMatchObject({ success: expected.success });
      expect(parameters.safeParse(body.fields).data).toStrictEqual(expected.data);
      expect(readCall(body.fields)).toStrictEqual(expected.data && callOf(expected.data));
    }),
  );
});

it('a normalised call that is sent again is the same call, with the same fingerprint', () => {
  fuzz(
    fc.property(callText, (text) => {
      const once = read(text);
      const credentials = { auth_username: 'someone', auth_password: 'else' };
      const again = read(JSON.stringify({ ...once, ...credentials }));
      expect(again).toEqual(once);
      expect(fingerprint(again)).toBe(fingerprint(once));
      const asText = Object.entries({ ...once, ...credentials }).map(([name, value]) => [
        name,
        String(value),
      ]);
      expect(fingerprint(read(JSON.stringify(Object.fromEntries(asText))))).toBe(fingerprint(once));
    }),
  );
});
