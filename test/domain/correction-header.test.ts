import { describe, expect, it } from 'vitest';
import { readCorrectionHeader, writeCorrectionHeader } from '../../src/domain/correction-header.ts';

const ORDER = '0b8e7c1e-1111-4222-8333-944455556666';
const TOKEN = `${'x'.repeat(42)}_`;

describe('the header of an ordered correction', () => {
  it('is read as it was written', () => {
    const header = { order: ORDER, token: TOKEN };
    expect(readCorrectionHeader(writeCorrectionHeader(header))).toEqual(header);
  });

  it.each([
    undefined,
    7,
    '',
    ORDER,
    `${ORDER}.`,
    `${ORDER.toUpperCase()}.${TOKEN}`,
    `${ORDER}.${TOKEN}x`,
    `${ORDER}.${TOKEN}\n`,
    `\0${ORDER}.${TOKEN}`,
    `42.1.${TOKEN}`,
  ])('is none in any other form: %j', (header) => {
    expect(readCorrectionHeader(header)).toBeNull();
  });
});
