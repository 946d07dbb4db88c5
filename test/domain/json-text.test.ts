import { expect, it } from 'vitest';
import { indented } from '../../src/domain/json-text.ts';

it('JSON is shown with a line for each value, and otherwise as it is written', () => {
  const text = '{"a":1.50,"a" : 1e9,\n"b":[ ],"c":[{},{"d":"x, \\"y\\": [{"}],"e":null}';
  expect(indented(text)).toBe(
    [
      '{',
      '  "a": 1.50,',
      '  "a": 1e9,',
      '  "b": [],',
      '  "c": [',
      '    {},',
      '    {',
      '      "d": "x, \\"y\\": [{"',
      '    }',
      '  ],',
      '  "e": null',
      '}',
    ].join('\n'),
  );
});

it('JSON that is nested deep does not grow by its depth', () => {
  const text = `${'['.repeat(5000)}${']'.repeat(5000)}`;
  expect(indented(text).length).toBeLessThan(text.length * 40);
});
