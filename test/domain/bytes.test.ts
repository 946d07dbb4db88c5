import { describe, expect, it } from 'vitest';
import { admitBytes, answersOf, CALL, MAX_BYTES, messageOf } from './admitting.ts';

describe('the bytes of a message', () => {
  const whole = Buffer.from(JSON.stringify(CALL));

  it.each([
    null,
    '',
    'application/json',
    'Application/JSON; charset=UTF-8',
    'application/json;charset="utf8"',
    'application/json; charset=us-ascii',
    'text/plain',
    'application/octet-stream',
  ])('are read as JSON where content_type is %j', async (contentType) => {
    expect(answersOf(await admitBytes(whole, contentType))).toEqual(['call']);
  });

  it.each(['application/x-www-form-urlencoded', 'Application/X-WWW-Form-URLEncoded; charset=utf-8'])(
    'are read as a query string where content_type is %s',
    async (contentType) => {
      const form = Buffer.from(
        'auth_username=switch;auth_password=right;uniqueid=a;machine=1;start=1;scustomer=1',
      );
      expect(answersOf(await admitBytes(form, contentType))).toEqual(['call']);
      expect(answersOf(await admitBytes(whole, contentType))).toEqual(['400']);
      expect(answersOf(await admitBytes(form))).toEqual(['400']);
    },
  );

  it('may begin with a byte order mark', async () => {
    expect(answersOf(await admitBytes(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), whole])))).toEqual([
      'call',
    ]);
  });

  it.each([
    ['a lone continuation byte', [0x80]],
    ['an overlong form', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a cut sequence', [0xf0, 0x9f]],
    ['Latin-1', [0xe9, 0x22]],
  ])('are refused as a whole where they are not UTF-8: %s', async (_, bytes) => {
    const broken = Buffer.concat([Buffer.from('{"sname":"'), Buffer.from(bytes), Buffer.from('"}')]);
    const admitted = await admitBytes(broken);
    expect(answersOf(admitted)).toEqual(['400']);
    expect(messageOf(admitted)).toContain('UTF-8');
    expect(admitted.deadLetter().body).toContain('\uFFFD');
  });

  it('are refused where another charset is declared, even if they could be read', async () => {
    const admitted = await admitBytes(whole, 'application/json; charset=iso-8859-1');
    expect(answersOf(admitted)).toEqual(['400']);
    expect(admitted.deadLetter().body).not.toContain('right');
  });

  it('are refused where they are more than allowed, and their beginning is kept without the password', async () => {
    const filled = (size: number) => {
      const note = 'x'.repeat(size - JSON.stringify({ ...CALL, note: '' }).length);
      return Buffer.from(JSON.stringify({ ...CALL, note }));
    };
    expect(answersOf(await admitBytes(filled(MAX_BYTES)))).toEqual(['call']);
    const admitted = await admitBytes(filled(MAX_BYTES + 1));
    expect(answersOf(admitted)).toEqual(['400']);
    expect(messageOf(admitted)).toContain('at most 1000 bytes, got 1001');
    expect(admitted.deadLetter().body).toMatch(/"machine":"1"/);
    expect(admitted.deadLetter().body).not.toContain('right');
  });

  it('are measured by what was sent where only the beginning came in', async () => {
    expect(answersOf(await admitBytes(whole, null, {}, MAX_BYTES + 1))).toEqual(['400']);
  });

  it('may be none at all, which is no call', async () => {
    expect(answersOf(await admitBytes(Buffer.alloc(0)))).toEqual(['400']);
  });
});
