import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { contentDigest, leftoversIn } from '../../src/domain/content.ts';
import { type DeadLetter, minimalDeadLetter } from '../../src/domain/dead-letter.ts';
import { readLoosely } from '../../src/domain/loose.ts';
import { maskCallText, maskText } from '../../src/domain/masking.ts';
import { responsesTo } from '../../src/domain/reply.ts';
import { looksSecret } from '../../src/domain/secrets.ts';
import { admitBytes } from './admitting.ts';
import { fuzz } from './fuzzing.ts';

const FORM = 'application/x-www-form-urlencoded';
const CALL = { auth_username: 'switch', uniqueid: 'u-1', machine: 'm', note: 'late', scustomer: 'nobody' };

/** Everything that a message leaves behind: its dead letter, its last resort, and what a reply says. */
async function traces(body: Buffer, contentType: string | null): Promise<string> {
  const admitted = await admitBytes(body, contentType, {
    maxBodyBytes: 100_000,
    verify: (username) => ({ kind: 'ok', username, role: 'system' }),
  });
  const { deadLetter, uniqueid } = admitted;
  const { digest, ...kept }: DeadLetter = deadLetter();
  const bytes = minimalDeadLetter(body, body.length).body.split(' ').at(-1) ?? '';
  const reply = admitted.kind !== 'decided' ? [] : responsesTo(admitted.outcome);
  return JSON.stringify([kept, reply, uniqueid, Buffer.from(bytes, 'hex').toString()]);
}

/** Parts of four characters that are in the traces of a message, and not in those of the same without them. */
async function leaks(password: string, make: (password: string) => Buffer, contentType: string | null) {
  const points = Array.from(password);
  const parts = points.slice(3).map((_, index) => points.slice(index, index + 4).join(''));
  const [found, without] = [await traces(make(password), contentType), await traces(make('.'), contentType)];
  const quoted = (part: string) => JSON.stringify(part).slice(1, -1);
  // Blanks and quotes alone tell nothing.
  return parts
    .filter((part) => /[^\s"']/.test(part))
    .filter((part) => found.includes(quoted(part)) && !without.includes(quoted(part)));
}

describe('no part of a password is left', () => {
  const anyPassword = fc.string({ unit: 'binary', minLength: 4, maxLength: 40 });
  const typed = fc.string({ unit: 'grapheme-ascii', minLength: 4, maxLength: 40 });

  it.each<[string, (password: string) => string, string | null]>([
    ['JSON', (auth_password) => JSON.stringify({ ...CALL, auth_password }), null],
    ['JSON in which it comes first', (auth_password) => JSON.stringify({ auth_password, ...CALL }), null],
    ['JSON as a form', (auth_password) => JSON.stringify({ auth_password, ...CALL }), FORM],
    ['JSON of another name', (auth_pw) => JSON.stringify({ auth_pw, ...CALL }), null],
    ['JSON within JSON', (auth_password) => JSON.stringify({ x: { auth_password }, ...CALL }), null],
    ['a form', (auth_password) => `${new URLSearchParams({ ...CALL, auth_password })}`, FORM],
    ['a form as JSON', (auth_password) => `${new URLSearchParams({ auth_password, ...CALL })}`, null],
    [
      'a form in another charset',
      (auth_password) => `${new URLSearchParams({ auth_password, ...CALL })}`,
      `${FORM}; charset=iso-8859-1`,
    ],
  ])('of any characters, in %s', async (_, write, contentType) => {
    await fuzz(
      fc.asyncProperty(anyPassword, async (password) => {
        expect(await leaks(password, (one) => Buffer.from(write(one)), contentType)).toEqual([]);
      }),
    );
  });

  it('that was put into a form as it is, & and ; and = included', async () => {
    await fuzz(
      fc.asyncProperty(typed, async (password) => {
        const write = (one: string) =>
          Buffer.from(`auth_username=u;auth_password=${one};uniqueid=1;machine=m`);
        expect(await leaks(password, write, FORM)).toEqual([]);
      }),
    );
  });

  it('in a body that is broken in random ways around it', async () => {
    const junk = fc.constantFrom(
      '',
      '"',
      "'",
      '{',
      '}',
      '[',
      ',',
      ';',
      '&',
      ':',
      '=',
      '\\',
      ' ',
      '\n',
      '\t',
      '\0',
    );
    const gap = fc.array(junk, { maxLength: 3 }).map((parts) => parts.join(''));
    const key = fc.constantFrom(
      'auth_password',
      'AUTH_PASSWORD',
      'password',
      'pwd',
      'auth_pw',
      'auth_p\\u0061ss',
      'auth_p%61ss',
    );
    const plain = fc.string({
      unit: fc.constantFrom(...'ABCDEFGHJKLMNOPQRSTUVWXYZ'),
      minLength: 8,
      maxLength: 20,
    });
    const around = fc.constantFrom('"uniqueid":"u-1"', 'machine=m', '"note":"x"', 'a: 1', '<x>', '');
    const pieces = fc.tuple(around, gap, gap, key, gap, gap, gap, gap, around);
    const cut = fc.option(fc.nat(60), { nil: 1000 });
    const type = fc.constantFrom(null, FORM, 'text/plain; charset=utf-16');
    await fuzz(
      fc.asyncProperty(
        pieces,
        plain,
        cut,
        type,
        fc.boolean(),
        async (parts, password, end, contentType, wide) => {
          // In a form all text is some parameter's value, and a value that says `password=x` is what the contract takes.
          fc.pre(contentType !== FORM || (/auth_p/i.test(parts[3]) && parts[3] !== 'auth_pw'));
          const write = (one: string) => {
            const text = [...parts.slice(0, 6), one, ...parts.slice(6)].join('').slice(0, end);
            return Buffer.from(text, wide ? 'utf16le' : 'utf8');
          };
          expect(await leaks(password, write, contentType)).toEqual([]);
        },
      ),
    );
  });
});

describe('what looks like a secret', () => {
  it.each([
    ...[
      'auth_password',
      'password',
      'Passwd',
      'pw',
      'auth_pw',
      'authorization',
      'Authorization',
      'auth',
      'auth_pasword',
    ],
    ...[
      'pass',
      'passphrase',
      'api_key',
      'apikey',
      'api-key',
      'x-token',
      'bearer',
      'credentials',
      'userPw',
      'client_secret',
    ],
  ])('is a name such as %s', async (name) => {
    expect(looksSecret(name)).toBe(true);
    for (const text of [
      `${name}=CANARY`,
      `"${name}" : "CANARY",`,
      `${name}:\tCANARY`,
      `${name} \n = \n 'CANARY`,
    ])
      expect(maskText(text).text).not.toMatch(/CANARY/);
    const { deadLetter } = await admitBytes(Buffer.from(JSON.stringify({ ...CALL, [name]: 'CANARY' })));
    expect(deadLetter().body).not.toContain('CANARY');
  });

  it.each(['auth_username', 'machine', 'spresent', 'upward', 'uniqueid', 'recording', 'key', 'taxes'])(
    'is not one such as %s',
    (name) => {
      expect(looksSecret(name)).toBe(false);
    },
  );

  it('is what stands in an address before its host, whatever the parameter', async () => {
    for (const name of ['recording', 'note', 'url']) {
      const value = 'see amqp://user:CANARY@host/x and http://host:80/a@b?to=c@d';
      const { deadLetter } = await admitBytes(Buffer.from(JSON.stringify({ ...CALL, [name]: value })));
      expect(deadLetter().body).not.toContain('CANARY');
      expect(deadLetter().body).toContain('@host/x and http://');
      expect(deadLetter().altered).toEqual(name === 'url' ? [] : [name]);
    }
    expect(maskCallText('https://host/r?a=1&password=CANARY&token=x')).toBe(
      'https://host/r?a=1&password=***&token=x',
    );
  });

  it('is not in what the contract knows: these values stay as they came', async () => {
    const call = {
      ...CALL,
      uniqueid: 'BYPASS-6',
      note: 'password=x; token: y, Authorization: Basic z',
      recording: '/var/pass/authority.wav',
      callid: 'secret@host',
    };
    for (const [body, type] of [
      [JSON.stringify(call), null],
      [JSON.stringify(call), 'application/json; charset=iso-8859-1'],
      [`${new URLSearchParams(call)}`, FORM],
      [`${new URLSearchParams(call)}`, `${FORM}; charset=iso-8859-1`],
    ] as const) {
      const { deadLetter } = await admitBytes(Buffer.from(body), type);
      expect(JSON.parse(deadLetter().body)).toEqual(call);
      expect(deadLetter()).toMatchObject({ altered: [], uniqueid: 'BYPASS-6' });
    }
  });
});

describe('a name', () => {
  it('that a sender made up never becomes one of the contract, nor disturbs what shows it', async () => {
    const body = `{"uniqueid":"1","%75niqueid":"2","unique\\u0000id":"3","\\u001b]0;x\\u0007":1,"\\ud800":2,"\\u0085":3}`;
    const { deadLetter } = await admitBytes(Buffer.from(body));
    const kept = JSON.parse(deadLetter().body);
    expect(kept.uniqueid).toBe('1');
    expect(Object.keys(kept).join(' ')).not.toMatch(/[\p{Cc}\p{Cs}]/u);
    expect(deadLetter().body).not.toMatch(/\\u|[\p{Cc}\p{Cs}]/u);
  });
});

describe('what can be told of a body that cannot be read', () => {
  it.each([
    ['{"uniqueid":"u-1","scustomer":7,"cost":1.5,"auth_password":"x",}', 'u-1', 7, '1.5'],
    [`{'uniqueid' : 'u-1', 'scustomer' : '7', 'cost' : '1.5'`, 'u-1', 7, '1.5'],
    ['uniqueid=u-1;scustomer=7;cost=1.50;note=a;note=b', 'u-1', 7, '1.5'],
    ['uniqueid=BYPASS-6&cost=2&sname=\xff', 'BYPASS-6', null, '2'],
    ['<uniqueid>u-1</uniqueid><cost>x</cost>', 'u-1', null, null],
    ['{"auth_password":"a, uniqueid: b","cost":"1"', null, null, '1'],
    ['uniqueid=call-%E9&uniqueid2', null, null, null],
    ['uniqueid=x:password:abc ', null, null, null],
    ['nothing', null, null, null],
  ])('is found in %s', async (text, uniqueid, scustomer, cost) => {
    const bytes = Buffer.from(text, 'latin1');
    const { deadLetter } = await admitBytes(bytes, text.startsWith('uniqueid') ? FORM : null);
    const isReadable = /^uniqueid=(call|x:)/.test(text);
    if (!isReadable) expect(deadLetter()).toMatchObject({ uniqueid, scustomer, cost });
    expect(readLoosely(text).uniqueid ?? null).toBe(uniqueid);
  });
});

describe('a body without credentials', () => {
  /** Characters in which secrets are looked for, from the bytes to the dead letter. */
  async function looked(text: string, contentType: string | null): Promise<number> {
    const found = vi.spyOn(RegExp.prototype, 'exec');
    const tested = vi.spyOn(RegExp.prototype, 'test');
    const decoded = vi.spyOn(globalThis, 'URLSearchParams');
    try {
      const { deadLetter } = await admitBytes(Buffer.from(text), contentType, { maxBodyBytes: 100_000 });
      deadLetter();
      return found.mock.calls.length + tested.mock.calls.length + decoded.mock.calls.length;
    } finally {
      vi.restoreAllMocks();
    }
  }

  it.each([
    ['a;', FORM],
    ['auth=x;', FORM],
    ['a%;', FORM],
    ['&&pass=a', FORM],
    ['uniqueid=1 pass=1,', null],
    ['pass=1,note=', 'text/plain; charset=utf-16'],
  ])('stops early on 64 kB of %j: as much is read as of 8 kB', async (part, contentType) => {
    const [some, all] = [8000, 64_000].map((size) => part.repeat(Math.ceil(size / part.length)));
    const least = await looked(some ?? '', contentType);
    expect(await looked(all ?? '', contentType)).toBeLessThan(least + 20);
  });

  it('leaves no part of a password in an address that stands where the body or a value was cut off', async () => {
    for (let before = 3990; before < 4100; before += 3) {
      const address = `${'x'.repeat(before)} amqp://user:CANARY-CANARY-CANARY@host/${'y'.repeat(4000)}`;
      for (const text of [`{${address}`, JSON.stringify({ remark: address })]) {
        const { deadLetter } = await admitBytes(Buffer.from(text), null, { maxBodyBytes: 100_000 });
        expect(deadLetter().body).not.toMatch(/CAN|user/);
      }
    }
    const beginning = Buffer.from(`${'x'.repeat(2020)} amqp://user:CANARY@host/`);
    const hex = minimalDeadLetter(beginning, beginning.length).body.split(' ').at(-1) ?? '';
    expect(Buffer.from(hex, 'hex').toString()).not.toMatch(/CAN/);
  });

  it('tells nothing out of half a value at the end of what is looked at', async () => {
    const text = `{${' '.repeat(4080)}uniqueid=abcdefghij,`;
    const { deadLetter } = await admitBytes(Buffer.from(text), null, { maxBodyBytes: 100_000 });
    expect(deadLetter().uniqueid).toBeNull();
  });
});

describe('reading a text for its secrets', () => {
  // Work that grows with the square of 500 kB would not end within the time of any test.
  it.each([
    ...[
      'a',
      'pass',
      'pass=',
      '%61',
      '%25',
      ' ',
      'pass, note=',
      'pass="',
      "pass='\\",
      '{"pass":"',
      '\\',
      '"',
      '\\"',
    ],
    ...[
      'http://',
      'a://b?',
      'a://b?x&',
      'a://b:',
      'pass ',
      'note= ',
      'note  ',
      ',note',
      'auth_password=&',
      '&',
      '=;',
      '?',
    ],
    ...[
      'uniqueid',
      'uniqueid ',
      'uniqueid=1,pass,',
      'uniqueid=',
      '"auth_password":"x",',
      '"auth_password":"x",note:',
    ],
  ])('ends for 500 kB of %j', (part) => {
    const text = part.repeat(500_000 / part.length);
    for (const each of [text, `pass=${text}`, `auth_password="${text}`]) {
      expect(maskText(each).text.length).toBeLessThan(4_000_000);
      expect(maskCallText(`x://${each}`).length).toBeGreaterThan(0);
      expect(Object.keys(readLoosely(each)).length).toBeLessThan(7);
      expect(leftoversIn({ text: each, format: 'form' }).size).toBeLessThan(1_000_000);
      expect(contentDigest({ text: each, format: 'form' })).toHaveLength(64);
    }
    expect(
      contentDigest({ text: JSON.stringify({ [text]: text, auth_password: text }), format: 'json' }),
    ).toHaveLength(64);
  });
});
