import { describe, expect, it } from 'vitest';
import { codeOf, deadReasonOf, deadReasons, type Outcome, parkedReasons } from '../../src/domain/outcome.ts';
import { isReason, outcomeOnRecord } from '../../src/domain/record.ts';
import { replyBody, responsesTo } from '../../src/domain/reply.ts';
import { ACCEPTED } from '../support/outcomes.ts';

const rejected: Outcome = {
  kind: 'rejected',
  errors: [
    { key: 'start', message: 'one' },
    { key: 'zebra', message: 'two' },
  ],
};
const conflict: Outcome = {
  kind: 'conflict',
  differences: [
    { parameter: 'snumber', stored: '442071234567', received: '1' },
    { parameter: 'cost', stored: '12.5', received: '13' },
  ],
};
const failed: Outcome = { kind: 'failed', reason: 'failed', error: 'relation "cdrs" does not exist' };

describe('the reply', () => {
  it('to a stored call is the published envelope to the byte, the first time and again', () => {
    const published = '{"responses":[{"code":"204","key":"","message":"OK"}]}';
    expect(replyBody(ACCEPTED)).toBe(published);
    expect(replyBody({ kind: 'duplicate' })).toBe(published);
  });

  it('to a validation request is 201', () => {
    expect(responsesTo({ kind: 'validated' })).toEqual([{ code: '201', key: '', message: 'OK' }]);
  });

  it('names every wrong parameter in an entry of its own', () => {
    expect(responsesTo(rejected)).toEqual([
      { code: '400', key: 'start', message: 'one' },
      { code: '400', key: 'zebra', message: 'two' },
    ]);
  });

  it('to a conflict names what differs and never what is stored: that may be another sender’s', () => {
    const [entry, ...more] = responsesTo(conflict);
    expect(more).toEqual([]);
    expect(entry).toMatchObject({
      code: '400',
      key: 'uniqueid',
      message: expect.stringContaining('snumber, cost'),
    });
    expect(entry?.message).not.toMatch(/4420|12\.5/);
  });

  it('to who is unknown or not allowed has no key and says no more than the contract', () => {
    const messages = [responsesTo({ kind: 'unauthenticated' }), responsesTo({ kind: 'forbidden' })];
    expect(messages).toEqual([
      [{ code: '401', key: '', message: 'The authentication details provided are invalid.' }],
      [{ code: '402', key: '', message: 'Your role does not allow this.' }],
    ]);
  });

  it('to a call that could not be processed says that it is kept and nothing of the inside', () => {
    const [entry] = responsesTo(failed);
    expect(entry).toMatchObject({ code: '400', key: '', message: expect.stringContaining('kept') });
    expect(entry?.message).not.toContain('relation');
  });
});

/** Each outcome: its code, and the reason of its dead letter, of an ordinary call and of a validation request. */
const OUTCOMES: [Outcome, string, string | null, string | null][] = [
  [ACCEPTED, '204', null, null],
  [{ kind: 'duplicate' }, '204', null, null],
  [{ kind: 'validated' }, '201', null, null],
  [rejected, '400', 'rejected', null],
  [conflict, '400', 'conflict', null],
  [{ kind: 'unauthenticated' }, '401', 'unauthenticated', 'unauthenticated'],
  [{ kind: 'forbidden' }, '402', 'forbidden', 'forbidden'],
  ...parkedReasons.map((reason): [Outcome, string, string, string] => [
    { kind: 'failed', reason, error: '' },
    '400',
    reason,
    reason,
  ]),
];

describe('a dead letter is kept', () => {
  it.each(OUTCOMES)(
    'by the outcome: %j is %s, kept as %s, a validation request as %s',
    (outcome, code, reason, asked) => {
      expect(codeOf(outcome)).toBe(code);
      expect(deadReasonOf(outcome, false)).toBe(reason);
      expect(deadReasonOf(outcome, true)).toBe(asked);
    },
  );

  it('for every reason there is, by an outcome above', () => {
    const kept = new Set(OUTCOMES.map(([, , reason]) => reason).filter((reason) => reason !== null));
    expect([...kept].sort()).toEqual([...deadReasons].sort());
  });

  it('and its message is answered again with what was answered first', () => {
    for (const [outcome, , reason] of OUTCOMES) {
      if (reason === null || !isReason(reason)) continue;
      const responses = responsesTo(outcome);
      const differences = outcome.kind === 'conflict' ? outcome.differences : null;
      const onRecord = outcomeOnRecord({ status: 'dead', reason, responses, differences, error: null });
      expect(responsesTo(onRecord)).toEqual(responses);
    }
  });
});
