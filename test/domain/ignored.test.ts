import { describe, expect, it } from 'vitest';
import { parameterNames } from '../../src/domain/contract.ts';
import { ignoredNames } from '../../src/domain/ignored.ts';
import { validate } from '../../src/domain/validate.ts';
import { BASE } from './contract-table.ts';

describe('names that switches may send beyond the contract', () => {
  it('are those that are listed, and those that begin as a pattern does', () => {
    const ignored = ignoredNames(['colour', 'x_*']);
    expect(
      ['colour', 'x_', 'x_1', 'colours', 'X_1', 'ax_1', 'x'].filter((name) => ignored.has(name)),
    ).toEqual(['colour', 'x_', 'x_1']);
  });

  it('are never names of the contract, whatever the pattern', () => {
    const ignored = ignoredNames(parameterNames.map((name) => `${name.slice(0, 1)}*`));
    expect(parameterNames.filter((name) => ignored.has(name))).toEqual([]);
    expect(validate({ ...BASE, start: 'x', s_1: 1 }, ignored)).toMatchObject({
      kind: 'invalid',
      errors: [{ key: 'start' }],
    });
    expect(validate({ ...BASE, auth_extra: 'x', cost: '2' }, ignored)).toMatchObject({
      kind: 'valid',
      call: { cost: '2' },
    });
  });
});
