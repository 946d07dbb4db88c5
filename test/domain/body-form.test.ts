import { describe, expect, it } from 'vitest';
import { readBody } from '../../src/domain/body.ts';

const form = (text: string) => readBody(text, 'form', () => false);
const fieldsOf = (body: ReturnType<typeof form>) => (body.kind === 'fields' ? { ...body.fields } : body);

describe('a form-encoded body', () => {
  it.each([
    ['a=1;b=2', { a: '1', b: '2' }],
    ['a=1&b=2', { a: '1', b: '2' }],
    ['a=1;b=2&c=3;', { a: '1', b: '2', c: '3' }],
    ['?a=1', { a: '1' }],
    ['\r\n a=1 \n', { a: '1' }],
    ['a=x+y', { a: 'x y' }],
    ['a=x%2By%20z', { a: 'x+y z' }],
    ['a=%3B%26%3D', { a: ';&=' }],
    ['a=b=c', { a: 'b=c' }],
    ['a', { a: '' }],
    ['a=', { a: '' }],
    ['=1', { '': '1' }],
    ['', {}],
    [';;&&', {}],
    ['a=%', { a: '%' }],
    ['a=%zz', { a: '%zz' }],
    ['a=%C3%A9é', { a: 'éé' }],
    ['a=%ff', { a: '\uFFFD' }],
    ['a=%00', { a: '\0' }],
    ['%61=1', { a: '1' }],
    ['a=?b', { a: '?b' }],
    ['toString=1', { toString: '1' }],
  ])('is read by the rules of the web: %j', (text, expected) => {
    expect(fieldsOf(form(text))).toEqual(expected);
  });

  it('reads __proto__ as the name of a parameter', () => {
    const body = form('__proto__=1');
    expect(body.kind === 'fields' && Object.keys(body.fields)).toEqual(['__proto__']);
  });

  it.each(['a=1;a=1', 'a=1&b=2;a=3', 'a=1;%61=1', 'a;a'])(
    'with a repeated name is refused on it: %s',
    (text) => {
      expect(form(text)).toMatchObject({ kind: 'unreadable', key: 'a' });
    },
  );

  it('with a repeated name of any length is answered with a short one', () => {
    const name = 'x'.repeat(5000);
    expect(form(`${name}=1;${name}=1`)).toMatchObject({ key: `${'x'.repeat(99)}…` });
  });

  it.each(['{"a":1}', ' [1]', '{'])('that is JSON is refused as a whole: %s', (text) => {
    expect(form(text)).toMatchObject({ kind: 'unreadable', key: '' });
  });
});
