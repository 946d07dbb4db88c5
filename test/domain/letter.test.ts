import { describe, expect, it } from 'vitest';
import { type BodyFormat, readBody } from '../../src/domain/body.ts';
import { isDecimal } from '../../src/domain/contract.ts';
import { type Letter, letterOf, letterOfText, minimalLetter } from '../../src/domain/letter.ts';
import type { RequestProperties } from '../../src/domain/properties.ts';
import { validate } from '../../src/domain/validate.ts';

const CANARY = 'canary';
const PROPERTIES: RequestProperties = {
  contentType: null,
  replyTo: null,
  correlationId: null,
  messageId: null,
  routingKey: 'cdrs.create',
};

/** The letter of a text as admission writes it, with what a reply would say. */
function kept(text: string, format: BodyFormat = 'json'): { letter: Letter; reply: unknown } {
  const body = readBody(text, format, isDecimal);
  const { fields, ...reply } = body;
  if (body.kind === 'unreadable') return { letter: letterOfText(text, PROPERTIES), reply };
  return { letter: letterOf(fields, PROPERTIES), reply: validate(fields, new Set()) };
}

describe('a letter', () => {
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

  it.each([...readable, ...unreadable])('and a reply never hold the password: %s as %s', (text, format) => {
    const { letter, reply } = kept(text, format);
    const everything = JSON.stringify([letter, reply]);
    expect(everything).not.toContain(CANARY);
    expect(everything.replaceAll('\uFFFD', '')).not.toContain(CANARY);
  });

  it.each(unreadable)('is written from the text where the body cannot be read: %s as %s', (text, format) => {
    expect(kept(text, format).reply).toMatchObject({ kind: 'unreadable' });
    expect(kept(text, format).letter).toMatchObject({ uniqueid: null, scustomer: null, machine: null });
  });

  it('never holds the password wherever the message was cut off', () => {
    const whole = `{"auth_username":"u","uniqueid":"1","auth_password":"${CANARY}","machine":"1"}`;
    for (let length = 0; length < whole.length; length += 1) {
      const { letter } = kept(whole.slice(0, length));
      expect(letter.body).not.toMatch(/"c/);
    }
  });

  it('keeps everything else of a body that could be read', () => {
    const text = `{"auth_username":"u","auth_password":"x","uniqueid":"1","machine":"m","scustomer":"7","cost":1.5,"x":[1]}`;
    const { letter } = kept(text);
    expect(letter).toMatchObject({ uniqueid: '1', scustomer: 7, machine: 'm', submittedBy: 'u' });
    expect(JSON.parse(letter.body)).toEqual({
      auth_username: 'u',
      uniqueid: '1',
      machine: 'm',
      scustomer: '7',
      cost: 1.5,
      x: [1],
    });
  });

  it('keeps the parameters beside the password of a body that could not be read', () => {
    const text = '{"uniqueid":"1","auth_password":"x","machine":"m",}';
    expect(kept(text).letter.body).toBe('{"uniqueid":"1","auth_password":***,"machine":"m",}');
    const form = 'uniqueid=1;auth_password=x;machine=m;machine=m';
    expect(kept(form, 'form').letter.body).toBe('uniqueid=1;auth_password=***;machine=m;machine=m');
  });

  it('keeps a number that no parameter can hold as it was written', () => {
    expect(JSON.parse(kept('{"cost":1e400,"start":1.00000000000000000001}').letter.body)).toEqual({
      cost: '1e400',
      start: '1.00000000000000000001',
    });
    expect(kept('{"cost":1e400}').reply).toMatchObject({
      errors: expect.arrayContaining([{ key: 'cost', message: expect.stringMatching(/, got 1e400$/) }]),
    });
  });

  it('is the same letter for the same content with another password', () => {
    const one = kept('{"uniqueid":"1","auth_password":"x"}').letter;
    const other = kept('{"uniqueid":"1","auth_password":"y"}').letter;
    expect(other.digest).toBe(one.digest);
    expect(kept('{"uniqueid":"2","auth_password":"x"}').letter.digest).not.toBe(one.digest);
  });

  it('can be stored: it has no NUL, no lone surrogate and no identifier over 255 code points', () => {
    const { letter } = kept(
      `{"uniqueid":"a\\u0000${'\u{1F600}'.repeat(300)}","machine":"\\ud800","x":"\\u0000"}`,
    );
    expect(letter.uniqueid).toBe(`a\uFFFD${'\u{1F600}'.repeat(253)}`);
    expect(letter.machine).toBe('\uFFFD');
    expect(`${letter.body}${letter.uniqueid}`).not.toMatch(/\0|\p{Cs}/u);
    expect(letterOfText('\0\ud800{', PROPERTIES).body).toBe('\uFFFD{');
  });

  it('has no customer that would not fit its column', () => {
    for (const value of ['2147483648', '"2147483648"', '-1e20', '1.5', 'null', '[1]', '"x"']) {
      expect(kept(`{"scustomer":${value}}`).letter.scustomer).toBeNull();
    }
  });

  it('of any size can be written, however often the text repeats what the masking looks for', () => {
    const size = 300_000;
    for (const part of ['a', 'pass', 'pass=', '%61', ' ', 'pass, note=', 'pass="', "pass='\\", '{"pass":"']) {
      const text = part.repeat(size / part.length);
      expect(letterOfText(text, PROPERTIES).digest).toHaveLength(64);
      expect(letterOfText(`pass=${text}`, PROPERTIES).digest).toHaveLength(64);
    }
  });
});

describe('a minimal letter', () => {
  it('is ASCII alone, says nothing but bytes, and is bounded, whatever they are', () => {
    for (const body of [Buffer.alloc(100_000, 1), Buffer.from('\0\ud800é'), Buffer.alloc(0)]) {
      const letter = minimalLetter(body, 300_000);
      expect(JSON.stringify(letter)).toMatch(/^[ -~]{1,5000}$/);
      expect(letter).toMatchObject({ uniqueid: null, submittedBy: null, properties: { replyTo: null } });
    }
    expect(minimalLetter(Buffer.from([0xff, 1]), 2).body).toBe('2 bytes, as hex: ff01');
  });

  it('never holds the password, not as hex either', () => {
    const { body } = minimalLetter(Buffer.from(`{"auth_password":"${CANARY}","machine":"m"}`), 43);
    expect(Buffer.from(body.split(' ').at(-1) ?? '', 'hex').toString()).toBe(
      '{"auth_password":***,"machine":"m"}',
    );
  });

  it('is another one for other bytes, beyond what it shows and by their number', () => {
    const long = (end: string) => Buffer.concat([Buffer.alloc(5000, 0x61), Buffer.from(end)]);
    const digests = [long('b'), long('c')].map((body) => minimalLetter(body, 9000).digest);
    digests.push(minimalLetter(long('b'), 9001).digest);
    expect(new Set(digests).size).toBe(3);
  });
});
