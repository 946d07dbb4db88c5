import { describe, expect, it } from 'vitest';
import type { DeadLetter } from '../../src/domain/dead-letter.ts';
import { feedDeadLetterFor } from '../../src/worker/feed-dead-letter.ts';
import { feedIn } from '../sources/feeds.ts';
import { NO_PROPERTIES } from '../support/requests.ts';

const CALL = `call:
    uniqueid: id
    machine: host
    start: { from: begin, time: s }
    scustomer: { from: account, lookup: account }
    cost: price
    currency: { constant: EUR }
    note: { from: remark, optional: true }
`;
const feedOf = (format: string, name = 'fs') =>
  feedIn(`${name}:
  exchange: cdrs.from.${name}
  as: switch-fs
  machines: [m-1]
  ${format}
  ${CALL}`);
const FEED = feedOf('format: json');
const COLUMNS = ['id', 'host', 'begin', 'account', 'price', 'remark', 'sip_password'];
const CSV = feedOf(`format: csv\n  columns: [${COLUMNS.join(', ')}]`);
const FORM = feedOf('format: form');
const POSITIONAL = feedOf(
  'format: positional\n  fields: { id: 1-3, host: 4-6, begin: 7-16, account: 17-18, price: 19-20, remark: 21-26, sip_password: 27-34 }',
);
const RECORD = { id: 'u-1', host: 'm-1', begin: '1790000000', account: '4711', price: '1.25' };
const RULES = { maxBodyBytes: 65_536, keptBodyBytes: 4096 };
const CANARY = 'canary-99';

function letterOf(
  record: object | string | Buffer,
  feed = FEED,
  contentType: string | null = null,
): DeadLetter {
  const text = typeof record === 'string' || Buffer.isBuffer(record) ? record : JSON.stringify(record);
  const body = Buffer.from(text as string);
  const properties = { ...NO_PROPERTIES, contentType };
  return feedDeadLetterFor({ body, bytes: body.length, properties }, feed, RULES, true);
}

describe('the dead letter of a record', () => {
  it('is masked also where the feed counts its records', () => {
    const counting = feedOf('format: json\n  sequence: seq');
    const letter = letterOf({ ...RECORD, seq: '7', sip_password: CANARY }, counting);
    expect(letter).toMatchObject({ uniqueid: 'u-1', altered: [] });
    expect(JSON.stringify(letter)).not.toContain(CANARY);
  });

  it('keeps it as it came, with what the map says of it', () => {
    const text = ` { "id" : "u-1", "host":"m-1","begin":1.790000000e9, "price": 1.2500, "x":"1","x":"2"} \n`;
    expect(letterOf(text)).toMatchObject({
      source: 'fs',
      submittedBy: 'switch-fs',
      verified: true,
      uniqueid: 'u-1',
      machine: 'm-1',
      scustomer: null,
      cost: '1.25',
      currency: 'EUR',
      body: text,
      altered: [],
    });
  });

  it('has no money at stake where the cost is missing, for that is no cost of 0', () => {
    expect(letterOf({ ...RECORD, price: '' })).toMatchObject({ uniqueid: 'u-1', cost: null, currency: null });
  });

  it('is one for the same bytes of a feed, and another one for another feed', () => {
    expect(letterOf(RECORD).digest).toBe(letterOf(RECORD).digest);
    expect(letterOf(RECORD, feedOf('format: json', 'other')).digest).not.toBe(letterOf(RECORD).digest);
    expect(letterOf({ ...RECORD, remark: 'x' }).digest).not.toBe(letterOf(RECORD).digest);
  });

  it('keeps control characters and escapes of any kind as they are, and can be replayed', () => {
    const text = `{"id":"u-1","remark":"\\u0000 \\ud800 \\u001b[31m",\t"host":"m-1"}`;
    expect(letterOf(text)).toMatchObject({ body: text, altered: [] });
    const line = 'u-1,m-1,1790000000,4711,1.25,a\u001b\tb,';
    expect(letterOf(line, CSV)).toMatchObject({ body: line, altered: [] });
  });

  it('has U+FFFD for NUL, which PostgreSQL cannot store, and can be replayed unless that identifies the call', () => {
    expect(letterOf('u-1,m-1,1790000000,4711,1.25,a\0b,', CSV)).toMatchObject({
      body: 'u-1,m-1,1790000000,4711,1.25,a\uFFFDb,',
      altered: [],
    });
    expect(letterOf('u\0,m-1,1790000000,4711,1.25,a,', CSV).altered).toEqual(['']);
    expect(letterOf('{"id":"u-1\0"}').altered).toEqual(['']);
  });

  it('is whole up to the size of a body, and of a larger one as much as is kept of any unreadable body', () => {
    const large = { ...RECORD, padding: 'x'.repeat(60_000) };
    expect(letterOf(large)).toMatchObject({ body: JSON.stringify(large), altered: [] });
    const { body, altered, uniqueid } = letterOf({ ...large, more: 'x'.repeat(60_000) });
    expect({ length: body.length, altered, uniqueid }).toEqual({
      length: 4096,
      altered: [''],
      uniqueid: null,
    });
  });

  it('of bytes that are no UTF-8 is never replayed as it stands', () => {
    expect(letterOf(Buffer.from('{"id":"\xe9"}', 'latin1'))).toMatchObject({ altered: [''], uniqueid: null });
    expect(letterOf('{"id":"é"}', FEED, 'text/json; charset=latin1').altered).toEqual(['']);
    expect(letterOf(RECORD, FEED, 'text/json; charset=latin1').altered).toEqual([]);
  });
});

describe('a secret in a record', () => {
  it.each([
    ['a value of such a name', { sip_auth_password: CANARY }],
    ['whatever stands behind such a name', { 'X-Auth-Token': [{ a: `} " ${CANARY}` }, 1], after: 'x' }],
    ['beside a number', { pin_password: 1, secret: CANARY }],
    ['at any depth', { vars: [{ password: CANARY, other: 'kept' }] }],
    ['an assignment in a value', { dial: `[sip_auth_username=a,sip_auth_password=${CANARY}]sofia/x` }],
    ['the credentials of an address', { url: `https://user:${CANARY}@host/`, to: `<sip:2001:${CANARY}@h>` }],
    ["the contract's own credentials", { auth_username: 'switch-fs', auth_password: CANARY }],
  ])('is masked: %s; what the map reads is as it came', (_, more) => {
    const { body, altered } = letterOf({ ...more, ...RECORD });
    expect(body).not.toContain(CANARY);
    expect(JSON.parse(body)).toMatchObject(RECORD);
    expect(altered).toEqual([]);
  });

  it('is masked in other formats too', () => {
    const csv = letterOf(`u-1,m-1,1790000000,4711,1.25,"a ""b"", c",${CANARY}\n`, CSV);
    expect(csv).toMatchObject({ body: 'u-1,m-1,1790000000,4711,1.25,"a ""b"", c",***\n', altered: [] });
    const form = letterOf(`id=u-1&host=m-1&begin=1790000000&sip%5Fpassword=${CANARY};price=1.25`, FORM);
    expect(form).toMatchObject({
      body: 'id=u-1&host=m-1&begin=1790000000&sip%5Fpassword=***;price=1.25',
      altered: [],
    });
    const positional = letterOf(`u-1m-117900000004712remarkcanary-9`, POSITIONAL);
    expect(positional).toMatchObject({ body: 'u-1m-117900000004712remark***     ', altered: [] });
  });

  it('is masked in what cannot be read, which is then never replayed as it stands', () => {
    const { body, altered } = letterOf(`{"id":"u-1","password":"${CANARY}"`);
    expect(body).not.toContain(CANARY);
    expect(altered).toEqual(['']);
    expect(letterOf('{"id":"u-1"')).toMatchObject({ body: '{"id":"u-1"', altered: [] });
  });

  it('that the map reads leaves nothing to replay', () => {
    expect(letterOf({ ...RECORD, remark: `password=${CANARY}` })).toMatchObject({ altered: [''] });
  });

  it('is not what the map makes a call of, whatever its name', () => {
    const feed = feedIn(`fs:
  exchange: cdrs.from.fs
  as: switch-fs
  machines: [m-1]
  format: json
  ${CALL.replace('from: account', 'from: device.authorizing_id')}`);
    const record = { ...RECORD, device: { authorizing_id: '4711', auth: [CANARY] }, token: CANARY };
    expect(letterOf(record, feed)).toMatchObject({
      body: JSON.stringify({ ...RECORD, device: { authorizing_id: '4711', auth: '***' }, token: '***' }),
      altered: [],
    });
  });

  it('is not seen in a word of a name or a remark', () => {
    const record = { ...RECORD, remark: 'Pass Through Ltd', caller: 'Token Ring: hello' };
    expect(JSON.parse(letterOf({ ...record, caller: 'Passport Office' }).body).remark).toBe(
      'Pass Through Ltd',
    );
    expect(letterOf({ ...RECORD, remark: 'Pass Through Ltd' })).toMatchObject({ altered: [] });
  });
});
