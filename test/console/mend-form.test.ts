import { describe, expect, it } from 'vitest';
import { bodyText, correctionIn, fieldName } from '../../src/console/mend-form.ts';

const form = (fields: Record<string, string>) => new URLSearchParams(fields);

describe('the form of a correction', () => {
  it('leaves alone what was left empty, and a body whose field nobody touched', () => {
    const body = '{"a":"\u0001\r\n\tb\rc"}';
    // As a browser sends the text that it was given.
    const sent = bodyText(body).replaceAll('\n', '\r\n');
    expect(correctionIn(form({ [fieldName('set', 'note')]: '', body: sent, why: 'x' }), body)).toEqual({
      set: {},
      rename: {},
      unset: [],
    });
    expect(correctionIn(form({ body: `${sent} ` }), body).body).toBe(`${bodyText(body)} `);
  });

  it('sets, renames and takes out, whatever the names are', () => {
    const name = 'a=b\r\n&% \ud800';
    expect(
      correctionIn(
        form({
          [fieldName('set', 'note')]: 'a=b',
          [fieldName('rename', 'c=ts')]: 'cost',
          [fieldName('unset', name)]: '1',
        }),
        '',
      ),
    ).toEqual({ set: { note: 'a=b' }, rename: { 'c=ts': 'cost' }, unset: [name.toWellFormed()] });
  });

  it('is refused where its fields make no sense', () => {
    expect(() => correctionIn(form({ 'set.%E0%A4%A': '1' }), '')).toThrow('reload the page');
    expect(() => correctionIn(form({ [fieldName('set', 'validation')]: '1' }), '')).toThrow(
      'parameter of the call',
    );
  });
});
