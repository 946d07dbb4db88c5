import { describe, expect, it } from 'vitest';
import { type BodyFormat, readBody } from '../../src/domain/body.ts';
import { isDecimal } from '../../src/domain/contract.ts';
import { type DeadLetter, minimalDeadLetter } from '../../src/domain/dead-letter.ts';
import { responsesTo } from '../../src/domain/reply.ts';
import { admitBytes } from './admitting.ts';

const CANARY = 'canary';
const FORM = 'application/x-www-form-urlencoded';

/** The dead letter of a message as admission writes it for a sender with the right password, and what a reply would say. */
async function keptBytes(
  body: Buffer,
  contentType: string | null = null,
): Promise<{ deadLetter: DeadLetter; reply: unknown }> {
  const admitted = await admitBytes(body, contentType, {
    maxBodyBytes: 10_000_000,
    verify: (username) => ({ kind: 'ok', username, role: 'system' }),
  });
  return {
    deadLetter: admitted.deadLetter(),
    reply: admitted.kind !== 'decided' ? 'stored' : responsesTo(admitted.outcome),
  };
}

const kept = (text: string, format: BodyFormat = 'json') =>
  keptBytes(Buffer.from(text), format === 'form' ? FORM : null);

describe('a dead letter', () => {
  const readable: [string, BodyFormat][] = [
    [`{"auth_username":"u","auth_password":"${CANARY}"}`, 'json'],
    [`{"auth_username":"u","auth_p\\u0061ssword":"${CANARY}"}`, 'json'],
    [`{"auth_username":1e3,"auth_password":"${CANARY}"}`, 'json'],
    [`{"AUTH_PASSWORD":"${CANARY}"}`, 'json'],
    [`{"Password":"${CANARY}","pwd":"${CANARY}","api_token":"${CANARY}","clientSecret":"${CANARY}"}`, 'json'],
    [`{"note":{"auth_password":"${CANARY}","deeper":[{"PASSWD":"${CANARY}"}]}}`, 'json'],
    [`{"auth_password":{"is":"${CANARY}"}}`, 'json'],
    [`{"auth_password":["${CANARY}"]}`, 'json'],
    [`{"auth_password=${CANARY}":1}`, 'json'],
    [`{"a":{"auth_password: ${CANARY}":1}}`, 'json'],
    [`auth_username=u;auth_password=${CANARY};uniqueid=1`, 'form'],
    [`auth_username=u&auth_p%61ssword=${CANARY}&uniqueid=1`, 'form'],
    [`?AUTH_PASSWORD=${CANARY}`, 'form'],
    [`auth_password%3D${CANARY}`, 'form'],
    [`auth_password%253D${CANARY}=1`, 'form'],
  ];
  const unreadable: [string, BodyFormat][] = [
    [`{"auth_password":"${CANARY}","uniqueid":"1"`, 'json'],
    [`{"auth_password":"${CANARY}`, 'json'],
    [`{"auth_password":"\\"${CANARY}", }`, 'json'],
    [`{"auth_password":"a, note: ${CANARY}",}`, 'json'],
    [`{"auth_password" : 'it is ${CANARY}', start: 1}`, 'json'],
    [`{"auth_p\\u0061ssword":"${CANARY}",}`, 'json'],
    [`{"AUTH_PASSWORD":"${CANARY}",}`, 'json'],
    [`{auth_password:${CANARY}}`, 'json'],
    [`{"x":{"auth_password":"${CANARY}"}`, 'json'],
    [`"auth_password=${CANARY}"`, 'json'],
    [`[{"auth_password":"${CANARY}"}]`, 'json'],
    [`auth_username=u;auth_password=${CANARY};uniqueid=1`, 'json'],
    [`auth_password=${CANARY}&note=a&note=b`, 'form'],
    [`auth_p%61ssword=${CANARY}&note=a&note=b`, 'form'],
    [`{"auth_username":"u","auth_password":"${CANARY}"}`, 'form'],
    [`{"auth_username":"u","auth_password":"a;b=${CANARY}"}`, 'form'],
    [`auth_password%3D${CANARY}&note=a&note=b`, 'form'],
    [`<auth_password>${CANARY}</auth_password>`, 'json'],
    [`Content-Disposition: form-data; name="auth_password"\r\n\r\n${CANARY}\r\n--x--`, 'json'],
    [`auth_username,auth_password,uniqueid\nu,${CANARY},1`, 'json'],
    [Buffer.from(`{"auth_password":"${CANARY}"}`, 'utf16le').toString('utf8'), 'json'],
    [`{"auth_password":"${CANARY}","auth_password":"${CANARY}"}`, 'json'],
  ];

  it.each([...readable, ...unreadable])(
    'and a reply never hold the password: %s as %s',
    async (text, format) => {
      const { deadLetter, reply } = await kept(text, format);
      const everything = JSON.stringify([deadLetter, reply]);
      expect(everything).not.toContain(CANARY);
      expect(everything.replaceAll('\uFFFD', '')).not.toContain(CANARY);
    },
  );

  it.each(unreadable)('is never sent again where the body cannot be read: %s as %s', async (text, format) => {
    expect(readBody(text, format, isDecimal)).toMatchObject({ kind: 'unreadable' });
    const { deadLetter } = await kept(text, format);
    expect(deadLetter).toMatchObject({ verified: false, scustomer: null, machine: null });
    // Only where its password alone is missing, in its quotes, is the rest known to be what came.
    if (deadLetter.altered.length === 0)
      expect(deadLetter.body).toBe(text.replace(/("auth_password":)"[^"]*"/, '$1"***"'));
  });

  it('never holds the password wherever the message was cut off', async () => {
    const whole = `{"auth_username":"u","uniqueid":"1","auth_password":"${CANARY}","machine":"1"}`;
    for (let length = 0; length < whole.length; length += 1) {
      const { deadLetter } = await kept(whole.slice(0, length));
      expect(deadLetter.body).not.toMatch(/"c/);
    }
  });

  it('keeps everything else of a body that could be read', async () => {
    const text = `{"auth_username":"u","auth_password":"x","uniqueid":"1","machine":"m","scustomer":"7","cost":1.5,"x":[1]}`;
    const { deadLetter } = await kept(text);
    expect(deadLetter).toMatchObject({
      uniqueid: '1',
      scustomer: 7,
      machine: 'm',
      submittedBy: 'u',
      altered: [],
    });
    expect(JSON.parse(deadLetter.body)).toEqual({
      auth_username: 'u',
      uniqueid: '1',
      machine: 'm',
      scustomer: '7',
      cost: 1.5,
      x: [1],
    });
  });

  it('keeps the parameters beside the password of a body that could not be read', async () => {
    const text = '{"uniqueid":"1","auth_password":"x","machine":"m",}';
    expect((await kept(text)).deadLetter).toMatchObject({
      body: '{"uniqueid":"1","auth_password":"***","machine":"m",}',
      altered: [],
    });
    const form = 'uniqueid=1;auth_password=x;machine=m;machine=m';
    expect((await kept(form, 'form')).deadLetter).toMatchObject({
      body: 'uniqueid=1;auth_password=***;machine=m;machine=m',
      altered: [''],
    });
  });

  it('keeps a number that no parameter can hold as it was written', async () => {
    expect(JSON.parse((await kept('{"cost":1e400,"start":1.00000000000000000001}')).deadLetter.body)).toEqual(
      {
        cost: '1e400',
        start: '1.00000000000000000001',
      },
    );
    expect((await kept('{"cost":1e400}')).reply).toEqual(
      expect.arrayContaining([{ code: '400', key: 'cost', message: expect.stringMatching(/, got 1e400$/) }]),
    );
  });

  it('can be stored: it has no NUL, no lone surrogate and no identifier over 255 code points', async () => {
    const { deadLetter } = await kept(
      `{"uniqueid":"a\\u0000${'\u{1F600}'.repeat(300)}","machine":"\\ud800","x":"\\u0000"}`,
    );
    expect(deadLetter.uniqueid).toBe(`a\uFFFD${'\u{1F600}'.repeat(253)}`);
    expect(deadLetter.machine).toBe('\uFFFD');
    expect(`${deadLetter.body}${deadLetter.uniqueid}`).not.toMatch(/\0|\p{Cs}|\\u/u);
    expect((await kept('\0\ud800{')).deadLetter.body).toBe('\uFFFD{');
  });

  it('has no customer that would not fit its column', async () => {
    for (const value of ['2147483648', '"2147483648"', '-1e20', '1.5', 'null', '[1]', '"x"'])
      expect((await kept(`{"scustomer":${value}}`)).deadLetter.scustomer).toBeNull();
  });

  it('of a body that cannot be read keeps a few kilobytes, whatever was sent', async () => {
    for (const part of ['a', '\u0001', '"', '\\', '\u{1F600}', '{"pass":"', '%61']) {
      const { deadLetter } = await kept(part.repeat(300_000 / part.length));
      expect(Buffer.byteLength(deadLetter.body)).toBeLessThanOrEqual(4096);
      expect(deadLetter.altered).toEqual(['']);
    }
  });
});

describe('the digest of a dead letter', () => {
  const digest = async (text: string, format: BodyFormat = 'json') =>
    (await kept(text, format)).deadLetter.digest;

  it.each<[string, string, BodyFormat]>([
    ['{"uniqueid":"1","auth_password":"x"}', '{"uniqueid":"1","auth_password":"y\\"z"}', 'json'],
    ['{"auth_p\\u0061ssword" : "x", "uniqueid":"1"}', '{"auth_p\\u0061ssword" : 12, "uniqueid":"1"}', 'json'],
    ['{"auth_password":{"a":[1,2]},"x":1}', '{"auth_password":"}","x":1}', 'json'],
    ['uniqueid=1;auth_password=x&a=b', 'uniqueid=1;auth_password=y%26z&a=b', 'form'],
    ['uniqueid=1&auth_p%61ssword=x', 'uniqueid=1&auth_p%61ssword=', 'form'],
  ])('is the same with another password: %s', async (one, other, format) => {
    expect(await digest(one, format)).toBe(await digest(other, format));
  });

  it.each<[string, string, BodyFormat]>([
    ['{"uniqueid":"1","auth_password":"x"}', '{"uniqueid":"2","auth_password":"x"}', 'json'],
    ['{"uniqueid":"1","token":"x"}', '{"uniqueid":"1","token":"y"}', 'json'],
    ['{"uniqueid":"a\\u0001"}', '{"uniqueid":"a\\u0002"}', 'json'],
    ['uniqueid=call-%E9&auth_password=x', 'uniqueid=call-%E8&auth_password=x', 'form'],
    ['uniqueid=1&x_token=1', 'uniqueid=1&x_token=2', 'form'],
    ['bypass-6, x', 'bypass-7, x', 'json'],
    [`${'a'.repeat(5000)}b`, `${'a'.repeat(5000)}c`, 'json'],
  ])('is another for another call that is masked or cut to the same text: %s', async (one, other, format) => {
    expect(await digest(one, format)).not.toBe(await digest(other, format));
  });

  it('of bytes in another charset is of the bytes, not of what is shown of them', async () => {
    const latin = (byte: number) => Buffer.concat([Buffer.from('uniqueid=call-'), Buffer.from([byte])]);
    const [one, other] = await Promise.all(
      [0xe9, 0xe8].map((byte) => keptBytes(latin(byte), `${FORM}; charset=iso-8859-1`)),
    );
    expect(one?.deadLetter.body).toBe(other?.deadLetter.body);
    expect(one?.deadLetter.digest).not.toBe(other?.deadLetter.digest);
  });

  it('of a body that is too long counts what is not in hand by its length', async () => {
    const sent = (bytes: number) => admitBytes(Buffer.from('{"uniqueid"'), null, {}, bytes);
    const [one, other] = await Promise.all([sent(2000), sent(2001)]);
    expect(one.deadLetter().digest).not.toBe(other.deadLetter().digest);
  });
});

describe('a minimal dead letter', () => {
  it('is ASCII alone, says nothing but bytes, and is bounded, whatever they are', () => {
    for (const body of [Buffer.alloc(100_000, 1), Buffer.from('\0\ud800é'), Buffer.alloc(0)]) {
      const deadLetter = minimalDeadLetter(body, 300_000);
      expect(JSON.stringify(deadLetter)).toMatch(/^[ -~]{1,5000}$/);
      expect(deadLetter).toMatchObject({ uniqueid: null, submittedBy: null, properties: { replyTo: null } });
    }
    expect(minimalDeadLetter(Buffer.from([0xff, 1]), 2).body).toBe('2 bytes, as hex: ff01');
  });

  it('never holds the password, not as hex either', () => {
    const { body } = minimalDeadLetter(Buffer.from(`{"auth_password":"${CANARY}","machine":"m"}`), 43);
    expect(Buffer.from(body.split(' ').at(-1) ?? '', 'hex').toString()).toBe(
      '{"auth_password":"***","machine":"m"}',
    );
  });

  it('is another one for other bytes, beyond what it shows and by their number', () => {
    const long = (end: string) => Buffer.concat([Buffer.alloc(5000, 0x61), Buffer.from(end)]);
    const digests = [long('b'), long('c')].map((body) => minimalDeadLetter(body, 9000).digest);
    digests.push(minimalDeadLetter(long('b'), 9001).digest);
    expect(new Set(digests).size).toBe(3);
  });
});
