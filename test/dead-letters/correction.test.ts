import { describe, expect, it } from 'vitest';
import {
  type Correction,
  type CorrectionText,
  correctionOnRecord,
  NO_CORRECTION,
  readCorrection,
  whyNeeded,
} from '../../src/dead-letters/correction.ts';
import { withCorrections } from '../../src/dead-letters/corrections.ts';
import { prepareCorrection } from '../../src/dead-letters/prepare-correction.ts';
import { InvalidInput } from '../../src/input.ts';
import type { Replayable } from '../../src/store/dead-letters/mark.ts';
import { feedIn } from '../sources/feeds.ts';

const CALL = { uniqueid: 'u-1', scustomer: 9, cots: '1.50', colour: 'red' };

function letter(change: Partial<Replayable> = {}, call: object = CALL): Replayable {
  return {
    ...{
      id: '7',
      reason: 'rejected',
      status: 'dead',
      uniqueid: 'u-1',
      scustomer: 9,
      source: null,
      operation: 'create',
    },
    ...{ body: JSON.stringify(call), mendedBody: null, altered: [], properties: {}, edits: {} },
    ...{ submittedBy: 'switch', verified: true, replays: 0 },
    ...change,
  } as Replayable;
}

const FEED = feedIn(`fs:
  exchange: cdrs.from.fs
  as: switch-fs
  machines: [m]
  format: json
  skip: { kind: [test] }
  call: { uniqueid: id, machine: host, start: { from: begin, time: s }, scustomer: account }
`);

const noFeeds = { feedNamed: () => undefined };
const correct = (text: CorrectionText, row = letter()) => withCorrections([row], readCorrection(text));
const whyLeft = (text: CorrectionText, row = letter()) => correct(text, row).skipped[0]?.why ?? null;
const editsAfter = (text: CorrectionText, row = letter()) => correct(text, row).rows[0]?.edits;

describe('a correction as it is typed', () => {
  it('sets name=value, with any value that is valid for the parameter', () => {
    expect(readCorrection({ set: ['note=a=b', 'cost=1.5', 'taxes='] }).set).toEqual({
      note: 'a=b',
      cost: '1.5',
      taxes: '',
    });
  });

  it('renames, sets and takes out several parameters at once', () => {
    expect(
      readCorrection({ set: ['note=x'], rename: ['cots=cost', 'a=b=snumber'], unset: ['colour'] }),
    ).toEqual({ set: { note: 'x' }, rename: { cots: 'cost', 'a=b': 'snumber' }, unset: ['colour'] });
  });

  it.each([
    ...['cots=1', 'cost', 'cost=x', 'auth_username=x', 'auth_password=x', 'uniqueid=', '__proto__=x'],
    ...['validation=1', 'validation=0', 'note=\0', 'note=\ud800'],
  ])('sets nothing by %j', (pair) => {
    expect(() => readCorrection({ set: [pair] })).toThrow(InvalidInput);
  });

  it.each([
    ...['cots', 'cots=cot', '=cost', 'cost=cost', 'cots=validation', 'cots=auth_username', '\0=cost'],
    ...['auth_username=note', 'auth_password=note', 'validation=note', 'uniqueid=note', '__proto__=cost'],
  ])('renames nothing by %j', (pair) => {
    expect(() => readCorrection({ rename: [pair] })).toThrow(InvalidInput);
  });

  it.each(['', 'auth_username', 'auth_password', 'validation', 'uniqueid', '\ud800'])(
    'does not take %j out',
    (name) => {
      expect(() => readCorrection({ unset: [name] })).toThrow(InvalidInput);
    },
  );

  it.each<[CorrectionText]>([
    [{ set: ['cost=1', 'cost=2'] }],
    [{ set: ['cost=1'], rename: ['cots=cost'] }],
    [{ set: ['cost=1'], unset: ['cost'] }],
    [{ rename: ['a=cost', 'b=cost'] }],
    [{ rename: ['a=cost', 'a=note'] }],
    [{ rename: ['a=cost'], unset: ['a'] }],
  ])('does not do two things to one parameter: %j', (text) => {
    expect(() => readCorrection(text)).toThrow(/corrected twice/);
  });

  it('needs a reason where money moves or a call becomes another one', () => {
    expect(whyNeeded(readCorrection({ set: ['note=x'], rename: ['colour=snumber'], unset: ['a'] }))).toEqual(
      [],
    );
    expect(
      whyNeeded(readCorrection({ set: ['cost=1'], rename: ['cots=taxes'], unset: ['invoice'] })),
    ).toEqual(['cost', 'taxes', 'invoice']);
    expect(whyNeeded(readCorrection({ rename: ['currency=note', 'uniqeid=uniqueid'] }))).toEqual([
      'currency',
      'uniqueid',
    ]);
    expect(whyNeeded(readCorrection({ body: '{}' }))).toEqual(['body']);
  });

  it('is read back as it was put on record, and one of an empty record corrects nothing', () => {
    const read = readCorrection({ set: ['note=x'], rename: ['cots=cost'], unset: ['a'], body: '{}' });
    expect(correctionOnRecord(JSON.parse(JSON.stringify(read)))).toEqual(read);
    expect(correctionOnRecord({})).toEqual(NO_CORRECTION);
  });
});

describe('a correction of a dead letter', () => {
  it('gives a misnamed parameter its right name, with the value of each dead letter', () => {
    expect(editsAfter({ rename: ['cots=cost'], unset: ['colour'] })).toEqual({
      cots: null,
      cost: '1.50',
      colour: null,
    });
    expect(editsAfter({ rename: ['cots=cost'] }, letter({}, { ...CALL, cots: 7 }))).toMatchObject({
      cost: '7',
    });
  });

  it('may rename a parameter of the contract, and one onto a name that is taken out or empty', () => {
    expect(editsAfter({ rename: ['snumber=cnumber'] }, letter({}, { snumber: '555' }))).toEqual({
      snumber: null,
      cnumber: '555',
    });
    const both = { cots: '1', cost: '2' };
    expect(editsAfter({ rename: ['cots=cost'], unset: ['cost'] }, letter({}, both))).toEqual({
      cots: null,
      cost: '1',
    });
    expect(editsAfter({ rename: ['cots=cost'] }, letter({}, { cots: '1', cost: '' }))).toMatchObject({
      cost: '1',
    });
    const swapped = letter({}, { snumber: '1', dnumber: '2' });
    expect(editsAfter({ rename: ['snumber=dnumber', 'dnumber=snumber'] }, swapped)).toEqual({
      dnumber: '1',
      snumber: '2',
    });
  });

  it('renames a parameter that has the name of something every object has', () => {
    const call = { ...CALL, constructor: '1.50' };
    expect(editsAfter({ rename: ['constructor=cost'] }, letter({}, call))).toEqual({
      constructor: null,
      cost: '1.50',
    });
  });

  it.each<[string, CorrectionText, object, Partial<Replayable>, string]>([
    ['lacks', { rename: ['cots=cost'] }, { uniqueid: 'u-1' }, {}, 'has no parameter "cots" to rename'],
    ['has both', { rename: ['cots=cost'] }, { cots: '1', cost: '2' }, {}, 'take one of them out'],
    ['is not valid', { rename: ['colour=cost'] }, CALL, {}, '"red" is not valid for cost'],
    ['is a list', { rename: ['cots=cost'] }, { cots: ['1'] }, {}, 'a list, which cannot be moved'],
    ['was masked', { rename: ['pasword=note'] }, { pasword: '***' }, {}, 'was masked or cut'],
    ['was cut', { rename: ['note=sname'] }, { note: 'x' }, { altered: ['note'] }, 'was masked or cut'],
  ])('leaves alone a dead letter whose parameter %s', (_, text, call, change, why) => {
    expect(whyLeft(text, letter(change, call))).toContain(why);
  });

  it('leaves alone a body that cannot be read, and a record of a feed except for what is set', () => {
    expect(whyLeft({ set: ['note=x'] }, letter({ body: 'garbage' }))).toContain('replace the body');
    const record = letter({ source: 'fs-1', body: '{"a":1}' });
    expect(whyLeft({ rename: ['a=cost'] }, record)).toContain('sources file');
    expect(whyLeft({ unset: ['a'] }, record)).toContain('sources file');
    expect(editsAfter({ set: ['cost=1'] }, record)).toEqual({ cost: '1' });
  });

  it('made again changes nothing more', () => {
    const text = { rename: ['cots=cost'], unset: ['colour'], set: ['note=x'] };
    const once = correct(text);
    expect(once.corrections).toHaveLength(1);
    const again = correct(text, once.rows[0]);
    expect([again.corrections, again.skipped, again.rows]).toEqual([[], [], once.rows]);
    const body = { body: '{"uniqueid":"u-1"}' };
    expect(correct(body, correct(body).rows[0]).corrections).toEqual([]);
  });

  it('that takes out what only a correction had set leaves nothing of it', () => {
    const changed = correct({ unset: ['note'] }, letter({ edits: { note: 'x' } }));
    expect(changed.rows[0]?.edits).toEqual({});
    expect(changed.corrections[0]?.changes).toEqual({ note: { from: 'x', to: null } });
  });

  it('with another body begins anew, whatever was corrected in the one before', () => {
    const { rows, corrections } = correct(
      { body: '{"cots":"5"}', rename: ['cots=cost'] },
      letter({ altered: [''], edits: { note: 'x' } }),
    );
    expect(rows[0]?.mendedBody).toBe('{"cots":"5"}');
    expect(rows[0]?.edits).toEqual({ cots: null, cost: '5' });
    expect(corrections[0]).toMatchObject({ before: { note: 'x' }, bodyBefore: null, body: '{"cots":"5"}' });
  });
});

describe('a correction that is about to be kept', () => {
  const prepared = (text: CorrectionText, rows: Replayable[], why: string | null = 'because') =>
    prepareCorrection(rows, readCorrection(text), why, noFeeds);
  const ready = (text: CorrectionText, row = letter()): Correction | null => {
    const found = prepared(text, [row]);
    return found.kind === 'ready' ? found.correction : null;
  };

  it('has its reason', () => {
    expect(prepared({ rename: ['cots=cost'] }, [letter()], null)).toEqual({
      kind: 'refused',
      problem: 'rename: cost requires a reason (why)',
    });
    expect(prepared({ body: '{}' }, [letter()], null)).toMatchObject({
      problem: 'body: body requires a reason (why)',
    });
    expect(prepared({ set: ['note=x'] }, [letter()], null).kind).toBe('ready');
  });

  it('gives another uniqueid to one conflict at a time, or to a call that has none', () => {
    const set = { set: ['uniqueid=u-2'] };
    const conflict = letter({ reason: 'conflict' });
    expect(prepared(set, [letter()])).toMatchObject({ problem: expect.stringContaining('7 is rejected') });
    expect(prepared(set, [conflict, conflict])).toMatchObject({
      problem: expect.stringContaining('at a time'),
    });
    expect(ready(set, conflict)?.set).toEqual({ uniqueid: 'u-2' });
    expect(ready(set, letter({ uniqueid: null }))?.set).toEqual({ uniqueid: 'u-2' });
    expect(ready(set, letter({}, { uniqueid: 'u-\u0001' }))?.set).toEqual({ uniqueid: 'u-2' });
  });

  it('has a body as it is kept: JSON without credentials, whatever it was written as', () => {
    const form = 'auth_username=switch;auth_password=s3cret;uniqueid=u-1;cost=1.50\n';
    expect(prepared({ body: form }, [letter()])).toEqual({
      kind: 'ready',
      correction: { ...NO_CORRECTION, body: '{"uniqueid":"u-1","cost":"1.50"}' },
      said: ['auth_username, auth_password left out: a replay needs none'],
    });
    expect(ready({ body: '\uFEFF{"uniqueid":"u-1","cost":0.10}' })?.body).toBe(
      '{"uniqueid":"u-1","cost":0.1}',
    );
  });

  it.each([
    ['', 'expected a JSON object'],
    ['hello', 'expected a JSON object'],
    ['{"uniqueid":', 'invalid JSON'],
    ['[1]', 'an array'],
    ['{"cost":1,"cost":2}', 'given more than once'],
    ['{"uniqueid":"u-1","validation":1}', 'validation'],
    ['{"uniqueid":"u-1","note":"auth_password=s3cret"}', 'never kept'],
    ['{"uniqueid":"u-2"}', 'only a conflict'],
  ])('has no body like %j', (body, problem) => {
    expect(prepared({ body }, [letter()])).toMatchObject({ problem: expect.stringContaining(problem) });
  });

  it('has a body with another uniqueid only where no call can be charged twice by it', () => {
    const body = '{"uniqueid":"u-2","cost":"1"}';
    expect(ready({ body }, letter({ uniqueid: null }))?.set).toEqual({ uniqueid: 'u-2' });
    expect(ready({ body }, letter({ reason: 'conflict' }))?.set).toEqual({ uniqueid: 'u-2' });
    expect(prepared({ body }, [letter({ uniqueid: null }), letter()])).toMatchObject({
      problem: expect.stringContaining('one dead letter at a time'),
    });
  });

  it('has a record in the form of its feed, without its password', () => {
    const feeds = { feedNamed: (name: string) => (name === 'fs' ? FEED : undefined) };
    const record = letter({ source: 'fs', body: 'garbage', uniqueid: null, altered: [''] });
    const given = (body: string) => prepareCorrection([record], readCorrection({ body }), 'because', feeds);
    expect(
      given('{"id":"u-3","host":"m","begin":"1","account":"1","kind":"call","password":"s3cret"}'),
    ).toEqual({
      kind: 'ready',
      correction: {
        ...NO_CORRECTION,
        set: { uniqueid: 'u-3' },
        body: '{"id":"u-3","host":"m","begin":"1","account":"1","kind":"call","password":"***"}',
      },
      said: [],
    });
    expect(given('{"id":"u-3","host":"m","account":"1","kind":"call"}')).toMatchObject({
      kind: 'ready',
      said: [expect.stringMatching(/^not mapped yet: start: /)],
    });
    expect(given('uniqueid=u-3')).toMatchObject({
      problem: expect.stringContaining('no record of the feed fs'),
    });
    expect(given('{"id":"u-3","kind":"test"}')).toMatchObject({ problem: expect.stringContaining('skips') });
  });

  it('has no body for the record of a feed that nobody can read here', () => {
    expect(prepared({ body: '{}' }, [letter({ source: 'fs-1' })])).toMatchObject({
      problem: expect.stringContaining('not in SOURCES_FILE'),
    });
  });
});
