import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSources } from '../../src/sources/load.ts';
import { fuzz } from '../domain/fuzzing.ts';
import { PRESETS, preset, problemsIn } from './feeds.ts';

const FEED = `sw:
  exchange: from.sw
  as: u
  machines: [m]
  format: json
  call:
    uniqueid: id
    machine: m
    start: { from: t, time: s }
    scustomer: c
`;

/** The file with one text in place of another. */
function changed(from: string, to: string): string {
  if (!FEED.includes(from)) throw new Error(`the file has no ${from}`);
  return FEED.replace(from, to);
}

/** The file with one more parameter, which stands in line 11 from column 5 on. */
function withParameter(value: string): string {
  return `${FEED}    ${value}\n`;
}

describe('a sources file', () => {
  it('without a problem gives its feeds in order', () => {
    const sources = readSources(FEED + FEED.replaceAll('sw', 'other'));
    expect(sources.kind === 'feeds' && sources.feeds.map(({ name }) => name)).toEqual(['sw', 'other']);
  });

  it.each<[string, string, string]>([
    ['that is empty', '', 'line 1, column 1: expected a mapping, got nothing'],
    ['that is a list', '- a', 'line 1, column 1: expected a mapping, got a list'],
    [
      'with a key twice',
      withParameter('scustomer: d'),
      'line 11, column 5: expected each key once, got this one again',
    ],
    ['without a key', changed('  as: u\n', ''), 'line 2, column 3: sw.as: expected text, got nothing'],
    [
      'without a format',
      changed('  format: json\n', ''),
      'line 2, column 3: sw.format: expected json, form, csv or positional, got nothing',
    ],
    [
      'of a format that there is none',
      changed('json', 'xml'),
      'line 5, column 11: sw.format: expected json, form, csv or positional, got "xml"',
    ],
    ['with an empty value', changed('[m]', ''), 'line 4, column 13: sw.machines: expected a list, got ""'],
    [
      'with an empty list',
      changed('[m]', '[]'),
      'line 4, column 13: sw.machines: expected at least 1 item, got an empty list',
    ],
    [
      'with a name that is none',
      changed('sw:', 'a b:'),
      'line 1, column 1: a b: expected a name of letters, digits, _, . and -, got "a b"',
    ],
    [
      "with one of the system's exchanges",
      changed('from.sw', 'cdrs.dead'),
      'line 2, column 13: sw.exchange: expected an exchange of the feed\'s own, got "cdrs.dead"',
    ],
    [
      'with an alias of nothing',
      changed('[m]', '*m'),
      'line 1, column 1: expected each alias (*) to name an anchor (&) before it, and few of them',
    ],
    [
      'with a wrong word',
      withParameter('note: { from: x, sip: usr }'),
      'line 11, column 27: sw.call.note.sip: expected user, host or name, got "usr"',
    ],
    [
      'with a value of no kind',
      withParameter('note: [[a], b]'),
      'line 11, column 12: sw.call.note.0: expected text, got a list',
    ],
    [
      'with a status that there is none',
      withParameter('status: { from: s, table: { a: bussy }, else: error }'),
      'line 11, column 36: sw.call.status.table.a: expected one of answer, busy, cancel, chanunavail, congestion, error, noanswer, got "bussy"',
    ],
    [
      'with a cost that may be missing',
      withParameter('cost: { from: c, optional: true }'),
      'line 11, column 32: sw.call.cost.optional: cost must never be left to its default',
    ],
    [
      'with a zone that there is none',
      withParameter('end: { from: e, time: iso, zone: Europe/Amsterdan }'),
      'line 11, column 38: sw.call.end.zone: expected a zone such as Europe/Amsterdam or +02:00, got "Europe/Amsterdan"',
    ],
    [
      'with a local time without a zone',
      withParameter('end: { from: e, time: ctime }'),
      'line 11, column 27: sw.call.end.time: expected a zone beside a time without an offset',
    ],
    [
      'with a pattern that is none',
      withParameter('end: { from: e, time: yyyy-MM-dd hh:mm, zone: UTC }'),
      'line 11, column 27: sw.call.end.time: expected yyyy, MMM, MM, dd, d, EEE, HH, mm, ss, S, XXX, got "hh:mm"',
    ],
    [
      'with an end that is no time',
      withParameter('end: e'),
      'line 11, column 10: sw.call.end: expected a time (time: s, iso …), got a text',
    ],
    [
      'with seconds where there are none',
      withParameter('messages: { from: n, duration: s }'),
      'line 11, column 15: sw.call.messages: expected a duration only for talktime, time, totaltime',
    ],
    [
      'with a lookup inside of another value',
      withParameter('dcustomer: { first: [{ from: a, lookup: account }, b] }'),
      "line 11, column 45: sw.call.dcustomer.first.0.lookup: expected lookup beside the parameter's own keys",
    ],
    [
      'with a date pattern that lacks the time of day',
      withParameter('end: { from: e, time: yyyy-MM-dd, zone: UTC }'),
      'line 11, column 27: sw.call.end.time: expected at least yyyy, MM, dd, HH and mm',
    ],
    [
      'with a sum of no times',
      withParameter('end: { sum: [{ from: a, time: s }, b] }'),
      'line 11, column 17: sw.call.end.sum: expected a time and then durations',
    ],
    [
      'that could make two calls one',
      changed('uniqueid: id', 'uniqueid: { first: [id, other] }'),
      'line 7, column 24: sw.call.uniqueid.first: expected only from, join and constant, got first, which could make two calls one',
    ],
    [
      'with a machine of another feed',
      changed('machine: m', 'machine: { constant: q }'),
      'line 8, column 14: sw.call.machine: expected one of machines, got "q"',
    ],
    [
      'with a lookup of no customer',
      withParameter('peer: { from: p, lookup: account }'),
      'line 11, column 30: sw.call.peer.lookup: expected lookup: peers for peer, or a kind of key for scustomer and dcustomer, got "account"',
    ],
    [
      'with two sources of a value',
      withParameter('note: { from: a, constant: b }'),
      'line 11, column 11: sw.call.note: expected one of from, first, join, sum, between, constant, got from and constant',
    ],
    [
      'with a direct exchange without keys',
      changed('  as: u', '  type: direct\n  as: u'),
      'line 3, column 9: sw.type: expected keys beside a direct exchange, which drops all others',
    ],
    [
      'with a column that there is none',
      changed('format: json', 'format: csv\n  columns: [id, m, t]'),
      'line 11, column 16: sw.call.scustomer.from: expected one of the columns, got "c"',
    ],
  ])('%s is refused, naming line, column, what was expected and what came', (_, text, problem) => {
    expect(problemsIn(text)).toEqual([problem]);
  });

  it('with a key that does not exist names those that do', () => {
    const [feed = ''] = problemsIn(changed('  as: u', '  colour: red\n  as: u'));
    expect(feed).toMatch(/^line 3, column 3: sw\.colour: expected one of exchange, type, .*, got "colour"$/);
    const [parameter = ''] = problemsIn(withParameter('cots: x'));
    expect(parameter).toMatch(
      /^line 11, column 5: sw\.call\.cots: expected one of uniqueid, .*, got "cots"$/,
    );
    const [operator = ''] = problemsIn(withParameter('note: { form: x }'));
    expect(operator).toMatch(
      /^line 11, column 13: sw\.call\.note\.form: expected one of from, .*, got "form"$/,
    );
  });

  it('with two feeds on one exchange names the other', () => {
    expect(problemsIn(FEED + FEED.replace('sw:', 'other:'))).toEqual([
      'line 12, column 13: other.exchange: expected an exchange of the feed\'s own, got "from.sw", which is that of sw',
    ]);
  });

  it('reports all that is wrong at once, in the order of the file', () => {
    const text = changed('json', 'xml') + FEED.replace('sw:', 'other:').replace('  as: u\n', '');
    expect(problemsIn(text).map((line) => line.split(':')[0])).toEqual([
      'line 5, column 11',
      'line 12, column 3',
    ]);
  });

  it('keeps every scalar as the text that stands there', () => {
    const sources = readSources(withParameter('note: { from: n, table: { 007: no, 1e3: 0x10 }, else: ~ }'));
    const note = sources.kind === 'feeds' ? sources.feeds[0]?.spec.call.note : undefined;
    expect(note).toMatchObject({ table: { '007': 'no', '1e3': '0x10' }, else: '~' });
  });

  it('gives feeds or problems with a place in it, whatever stands there', () => {
    const words = [
      'sw:',
      '  exchange: x',
      '  call:',
      '    a: {',
      '}',
      '[',
      ']',
      '- ',
      '*a',
      '&a',
      '"',
      '? ',
      ': ',
      '|',
      '<<: *a',
      '!!binary x',
      '%YAML 9',
      '---',
      '\t',
      '\u0000',
    ];
    const soup = fc.array(fc.oneof(fc.constantFrom(...words), fc.string({ unit: 'binary' })), {
      maxLength: 30,
    });
    fuzz(
      fc.property(soup, fc.constantFrom('\n', ' ', ''), (parts, by) => {
        const text = parts.join(by);
        const sources = readSources(text);
        if (sources.kind === 'feeds') return;
        for (const { line, column } of sources.problems) {
          expect(line).toBeGreaterThan(0);
          expect(column).toBeGreaterThan(0);
        }
      }),
    );
  });

  it('is read without an error thrown, whatever is cut out of a good one', () => {
    fuzz(
      fc.property(fc.constantFrom(...PRESETS), fc.nat(), fc.nat(200), (name, from, length) => {
        const text = preset(name);
        const at = from % text.length;
        expect(readSources(text.slice(0, at) + text.slice(at + length)).kind).toMatch(/feeds|wrong/);
      }),
    );
  });
});
