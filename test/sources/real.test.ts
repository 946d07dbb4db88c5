import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Mapped, mapRecord } from '../../src/sources/map.ts';
import { feedIn, preset } from './feeds.ts';

/** The records of a file in real/, as the program itself wrote them, mapped by a preset. */
function mapped(file: string, by: string): (Mapped & { kind: 'call' })['fields'][] {
  const feed = feedIn(preset(by));
  const lines = readFileSync(new URL(`real/${file}`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
  return lines.map((line) => {
    const result = mapRecord(feed, line);
    if (result.kind !== 'call') throw new Error(`expected a call, got ${JSON.stringify(result)}`);
    return result.fields;
  });
}

describe('records of a real Kamailio (5.6.3, acc_json)', () => {
  const calls = mapped('kamailio-acc-json.jsonl', 'kamailio-acc-json.yaml');

  it('are answered, busy, cancelled, and ended by the timeout of the dialog', () => {
    expect(calls.map(({ status }) => status)).toEqual(['answer', 'busy', 'cancel', 'answer']);
    expect(calls.map(({ talktime, totaltime }) => [talktime, totaltime])).toEqual([
      [1, 1],
      [0, 0],
      [0, 0],
      [2, 2],
    ]);
  });

  it('have a uniqueid of their own whether anybody answered or not', () => {
    expect(calls.map(({ uniqueid }) => uniqueid)).toEqual([
      'aba2a0c674cb@127.0.0.1;498c2961b221;aba2a0c6-called',
      '18ffbf8161c6@127.0.0.1;679ecea75692;1795837455.746153',
      '7cc7d2dd1f0d@127.0.0.1;e32ae1d26686;1795837455.788414',
      'fb2a5d31d740@127.0.0.1;7e882a9ee8de;fb2a5d31-called',
    ]);
  });
});

describe('records of a real Asterisk (16.28, cdr_custom)', () => {
  const calls = mapped('asterisk-cdr-custom.jsonl', 'asterisk-cdr-custom.yaml');

  it('have whatever a caller calls himself as he wrote it, quotes included', () => {
    expect(calls.map(({ sname }) => sname)).toEqual([
      'Front Desk',
      'Zoë "K" & 5%+1 €',
      'Front Desk',
      'Front Desk',
    ]);
    expect(calls[1]?.snumber).toBe('a"b');
    expect(calls[0]).toEqual({
      uniqueid: 'pbx-rtm-2/pbx-rtm-2-1795837074.0/pbx-rtm-2-1795837074.0/0',
      machine: 'pbx-rtm-2',
      start: 1795837074,
      end: 1795837077,
      totaltime: 3,
      talktime: 2,
      snumber: '31205550101',
      sname: 'Front Desk',
      cnumber: '442075550142',
      callid: 'pbx-rtm-2-1795837074.0',
      channel: 'SIP/uas-00000000',
      status: 'answer',
    });
  });

  it('are two of one uniqueid where the dialplan went on after a busy line, told apart by their sequence', () => {
    expect(calls.slice(2).map(({ uniqueid, status }) => [uniqueid, status])).toEqual([
      ['pbx-rtm-2/pbx-rtm-2-1795837083.6/pbx-rtm-2-1795837083.6/4', 'busy'],
      ['pbx-rtm-2/pbx-rtm-2-1795837083.6/pbx-rtm-2-1795837083.6/6', 'busy'],
    ]);
  });
});
