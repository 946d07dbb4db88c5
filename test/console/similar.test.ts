import { expect, it } from 'vitest';
import { similarNames } from '../../src/console/similar.ts';
import { editableNames } from '../../src/domain/kept.ts';

it.each([
  ['cots', ['cost']],
  ['COST', ['cost']],
  ['currancy', ['currency']],
  ['s_number', ['snumber', 'cnumber', 'dnumber']],
  ['colour', []],
  ['x', []],
])('%s was probably meant to be one of %j', (given, names) => {
  expect(similarNames(given, editableNames)).toEqual(names);
});
