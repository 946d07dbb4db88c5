import { describe, expect, it } from 'vitest';
import { nearest } from '../../src/dead-letters/nearest.ts';
import { nextSteps, type StepsView } from '../../src/dead-letters/next-steps.ts';
import { parameterNames } from '../../src/domain/contract.ts';

type Letter = StepsView['deadLetter'];

/** The steps of a dead letter with id 7, as one text. */
function steps(letter: Partial<Letter>, view: Partial<Omit<StepsView, 'deadLetter'>> = {}): string {
  const deadLetter = {
    ...{
      id: 7,
      reason: 'rejected',
      status: 'dead',
      uniqueid: 'u-1',
      source: null,
      operation: 'create',
      verified: true,
    },
    ...{ responses: [], error: null, waits_for: null, tried_at: null, altered: [], properties: {} },
    ...{ closed_for_good: false, mended: false, edits: {}, ...letter },
  } as unknown as Letter;
  const empty = { call: {}, stored: null, differences: [], problem: null, merged: null };
  return nextSteps({ deadLetter, ...empty, ...view }).join('\n');
}

const answered = (key: string) => ({ responses: [{ code: '400' as const, key, message: 'refused' }] });

describe('what can be done next', () => {
  it('with a misnamed parameter is to give it its right name, or to take it out', () => {
    const text = steps(answered('cots'));
    expect(text).toContain('dead replay 7 --rename cots=cost --why "…"');
    expect(text).toContain('dead replay 7 --unset cots');
    expect(text).toContain('IGNORED_PARAMETERS');
    expect(steps(answered('cots'), { call: { cots: 1, cost: 2 } })).not.toContain('--rename');
  });

  it('never puts a name that a stranger made up into a command, unless it is a plain word', () => {
    const text = steps(answered('x; rm -rf "$HOME"'));
    expect(text).toContain('--unset NAME');
    expect(text).not.toContain('rm -rf');
  });

  it.each([
    ['scustomer', /lacks this customer[\s\S]*--set scustomer=VALUE --why/],
    ['invoice', /--set invoice=0 --why/],
    ['start', /Correct start: dead replay 7 --set start=VALUE$/m],
    ['uniqueid', /Correct uniqueid: dead replay 7 --set uniqueid=VALUE --why/],
    ['', /cannot be read.*--body FILE --why/],
  ])('with a call that is refused for %j names the option', (key, expected) => {
    expect(steps(answered(key))).toMatch(expected);
  });

  it('with the record of a feed is to mend where it is mapped', () => {
    const text = steps({ ...answered('cost'), source: 'fs-1' });
    expect(text).toMatch(/Mend the sources file.*dead replay --source fs-1$/m);
    expect(text).toContain('--set NAME=VALUE');
  });

  it('with a conflict is to keep one call, to take the values of the other, or to store both', () => {
    const stored = {} as StepsView['stored'];
    const differences = [{ parameter: 'cost' as const, stored: '1', received: '2' }];
    const text = steps({ reason: 'conflict' }, { stored, differences });
    expect(text).toMatch(/stored call is right.*dead discard 7 --why/);
    expect(text).toContain('dead replay 7 --set uniqueid=VALUE --why');
    expect(text).toContain('dead replay 7 --set uniqueid=VALUE --why "…" --dry-run');
    expect(text.match(/dead discard/g)).toHaveLength(1);
    expect(text).toMatch(/takes its values, which resolves it: call correct u-1 --take 7 --why/);
    expect(steps({ reason: 'conflict' }, { stored })).toContain('says the same as the stored call');
  });

  it('takes values only where a correction can, says which stay, and puts no strange uniqueid into a command', () => {
    const stored = {} as StepsView['stored'];
    const number = { parameter: 'snumber' as const, stored: '1', received: '2' };
    const customer = { parameter: 'scustomer' as const, stored: 1, received: 2 };
    const conflict = (uniqueid: string, differences: StepsView['differences']) =>
      steps({ reason: 'conflict', uniqueid }, { stored, differences });
    expect(conflict('u-1', [number])).not.toContain('--take');
    expect(conflict('$(reboot)', [number, customer])).toContain(
      'takes its values (not snumber), which resolves it: call correct UNIQUEID --take 7',
    );
    expect(steps({ reason: 'conflict' }, { differences: [customer] })).not.toContain('--take');
  });

  it('with an unroutable message begins with the routing key as it was sent, and where a replay goes', () => {
    const text = steps({ reason: 'unroutable', verified: false, properties: { routingKey: 'cdr.create' } });
    expect(text).toContain('the routing key "cdr.create"');
    expect(text).toContain('A replay sends it to cdrs.create.');
    expect(text).toContain('dead replay 7 --unverified --dry-run');
  });

  it.each(['unauthenticated', 'forbidden'] as const)(
    'with an %s call names its reason, and who answers for it',
    (reason) => {
      const text = steps({ reason, verified: false });
      expect(text).toContain(`dead replay 7 --reason ${reason} --unverified --dry-run`);
      expect(text).toContain('you answer for it');
    },
  );

  it('with a failed call names what holds it, or what the database said', () => {
    const locked = { reason: 'failed', waits_for: 'customer 104', error: 'process 12 holds it' } as const;
    expect(steps(locked)).toMatch(/waits for customer 104 \(process 12 holds it\).*by itself, once/);
    expect(steps({ ...locked, edits: { cost: '1' } })).toContain('only a replay sends it again');
    expect(steps({ ...locked, tried_at: new Date(0) })).toContain('in vain');
    expect(steps({ reason: 'failed', error: 'boom (SQLSTATE P0001)' })).toContain('(boom (SQLSTATE P0001))');
  });

  it('with a poison message is to look into the workers first', () => {
    expect(steps({ reason: 'poison' })).toContain('may be what ends workers');
    expect(steps({ reason: 'poison', tried_at: new Date(0) })).toContain('tried it once more, alone');
  });

  it('with what was masked is to write it again', () => {
    expect(steps({ altered: [''] }, { problem: 'masked' })).toContain('--body FILE --why');
    expect(steps({ altered: ['note'] }, { problem: 'masked' })).toContain('--set NAME=VALUE');
  });

  it.each<[string, Partial<Letter>, Partial<StepsView>, RegExp]>([
    ['resolved', { status: 'resolved' }, {}, /^Nothing: its call is stored\.$/],
    ['discarded', { status: 'discarded' }, {}, /switch opens it again.*dead reopen 7 --why/],
    [
      'discarded for good',
      { status: 'discarded', closed_for_good: true },
      {},
      /does not open it again.*dead reopen 7/,
    ],
    ['merged', { status: 'discarded' }, { merged: { into: 9 } }, /^Nothing here.*dead show 9$/],
    ['replaying', { status: 'replaying' }, {}, /send it once more.*dead replay 7$/],
  ])('with one that is %s follows from that alone', (_, letter, view, expected) => {
    expect(steps(letter, view).replaceAll('\n', ' ')).toMatch(expected);
  });
});

it('a misnamed parameter is taken for the one that a single slip makes of it', () => {
  const near = (name: string) => nearest(name, parameterNames);
  expect([near('cots'), near('costs'), near('Cost'), near('uniqeid'), near('machime')]).toEqual([
    ...['cost', 'cost', 'cost', 'uniqueid', 'machine'],
  ]);
  expect([near('colour'), near('xnumber'), near('')]).toEqual([null, null, null]);
});
