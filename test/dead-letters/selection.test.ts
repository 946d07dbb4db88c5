import { describe, expect, it } from 'vitest';
import { type ReplayFilter, readSelection, replayFilter } from '../../src/dead-letters/selection.ts';
import { deadReasons, isForgeable } from '../../src/domain/outcome.ts';
import { InvalidInput, readTime } from '../../src/input.ts';

const NOW = new Date('2026-11-25T12:00:00Z');

describe('a selection', () => {
  it('ignores empty parts, except an empty key', () => {
    expect(readSelection({ reason: '', status: undefined, machine: '' }, NOW)).toEqual({});
    expect(readSelection({ key: '' }, NOW)).toEqual({ key: '' });
  });

  it.each([
    ['2h', '2026-11-25T10:00:00.000Z'],
    ['7d', '2026-11-18T12:00:00.000Z'],
    ['90d', '2026-08-27T12:00:00.000Z'],
    ['2026-11-01', '2026-11-01T00:00:00.000Z'],
    ['2026-11-01T08:30', '2026-11-01T08:30:00.000Z'],
    ['2026-11-01T08:30:15.5Z', '2026-11-01T08:30:15.500Z'],
    ['2026-11-01T08:30:00+02:00', '2026-11-01T06:30:00.000Z'],
  ])('reads the time %s', (text, expected) => {
    expect(readTime('since', text, NOW).toISOString()).toBe(expected);
  });

  it.each([
    { reason: 'bad' },
    { reason: 'rejected,bad' },
    { status: 'open' },
    { code: '204' },
    { customer: 'x' },
    { customer: '2147483648' },
    { customer: '-1' },
    { since: 'yesterday' },
    { since: '2026-13-01' },
    { until: '1.5h' },
    { machine: 'm\0' },
    { uniqueid: '\0' },
    { key: '\ud800' },
    { reason: '\0' },
    { since: '\0' },
    { ids: ['x'] },
    { ids: ['-1'] },
    { ids: ['1234567890123456789'] },
  ])('refuses %j', (text) => {
    expect(() => readSelection(text, NOW)).toThrow(InvalidInput);
  });
});

describe('the selection of a replay', () => {
  it('has the open dead letters of verified senders, except reasons that must be named', () => {
    const { filter } = replayFilter({}, false);
    expect(filter.reasons).toEqual(deadReasons.filter((reason) => !isForgeable(reason)));
    expect(filter.reasons).toEqual(expect.arrayContaining(['rejected', 'conflict', 'failed', 'poison']));
    expect(filter.reasons).not.toContain('unauthenticated');
    expect(filter.reasons).not.toContain('forbidden');
    expect(filter).toMatchObject({ statuses: ['dead', 'replaying'], verified: true });
    expect(replayFilter({}, true).filter).not.toHaveProperty('verified');
  });

  it('has the reasons that are named, but never a closed dead letter', () => {
    expect(replayFilter({ reasons: ['forbidden'] }, false).filter.reasons).toEqual(['forbidden']);
    expect(() => replayFilter({ statuses: ['dead', 'resolved'] }, true)).toThrow(InvalidInput);
  });
});

describe('a dead letter that is excluded', () => {
  const exclusion = (unverified: boolean, row: Parameters<ReplayFilter['exclusionOf']>[0]) =>
    replayFilter({}, unverified).exclusionOf(row);

  it('is reported with what a selection would have to name to include it', () => {
    const status = 'dead' as const;
    expect(exclusion(false, { status, reason: 'rejected', verified: true })).toBeNull();
    expect(exclusion(true, { status, reason: 'poison', verified: false })).toBeNull();
    expect(exclusion(false, { status, reason: 'poison', verified: false })).toEqual({
      why: 'sender not verified',
      needs: { unverified: true },
    });
    expect(exclusion(true, { status, reason: 'forbidden', verified: true })).toEqual({
      why: 'not replayed unless its reason is named',
      needs: { reason: 'forbidden' },
    });
    expect(exclusion(false, { status, reason: 'unauthenticated', verified: false })).toEqual({
      why: 'not replayed unless its reason is named; sender not verified',
      needs: { reason: 'unauthenticated', unverified: true },
    });
    expect(exclusion(true, { status: 'resolved', reason: 'rejected', verified: true })).toEqual({
      why: 'status is resolved',
    });
  });
});
