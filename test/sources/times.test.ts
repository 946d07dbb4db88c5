import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapRecord } from '../../src/sources/map.ts';
import { zoneNamed } from '../../src/sources/zones.ts';
import { fuzz } from '../domain/fuzzing.ts';
import { feedIn } from './feeds.ts';

/** A feed whose times are local; what it says of the length of the call as given. */
function localFeed(zone: string, beside = '') {
  return feedIn(`local:
  exchange: x
  as: x
  machines: [m]
  format: json
  call:
    uniqueid: id
    machine: { constant: m }
    scustomer: { constant: 1 }
    start: { from: start, time: "yyyy-MM-dd HH:mm:ss", zone: "${zone}" }
    end: { from: end, time: "yyyy-MM-dd HH:mm:ss", zone: "${zone}" }
${beside}`);
}

/** The times of a call, and whether they are a guess. Days are those on which Amsterdam's clocks change in 2026. */
function timesOf(start: string, end: string, talktime?: number) {
  const beside = talktime === undefined ? '' : '    talktime: talktime\n';
  const text = JSON.stringify({ id: '1', start, end, talktime });
  const mapped = mapRecord(localFeed('Europe/Amsterdam', beside), text);
  if (mapped.kind !== 'call') return mapped;
  const { start: from, end: to } = mapped.fields;
  return { from: iso(from), to: iso(to), isGuessed: mapped.isTimeGuessed };
}

function iso(seconds: unknown): string {
  return new Date(Number(seconds) * 1000).toISOString().slice(11, 19);
}

describe('an hour that occurs twice (Amsterdam, 25 October 2026, 02:00 to 03:00)', () => {
  it('is the one before the clocks change where the talk time says so', () => {
    expect(timesOf('2026-10-25 02:30:00', '2026-10-25 03:10:00', 6000)).toEqual({
      from: '00:30:00',
      to: '02:10:00',
      isGuessed: false,
    });
  });

  it('is the one after where the talk time says so', () => {
    expect(timesOf('2026-10-25 02:30:00', '2026-10-25 03:10:00', 2390)).toEqual({
      from: '01:30:00',
      to: '02:10:00',
      isGuessed: false,
    });
  });

  it('is told by the other time where there is no duration: the end is not before the start', () => {
    expect(timesOf('2026-10-25 02:50:00', '2026-10-25 02:10:00')).toEqual({
      from: '00:50:00',
      to: '01:10:00',
      isGuessed: false,
    });
    expect(timesOf('2026-10-25 01:50:00', '2026-10-25 02:10:00')).toEqual({
      from: '23:50:00',
      to: '00:10:00',
      isGuessed: false,
    });
    expect(timesOf('2026-10-25 02:50:00', '2026-10-25 03:10:00')).toEqual({
      from: '01:50:00',
      to: '02:10:00',
      isGuessed: false,
    });
  });

  it('is the first, and counted, where the whole call lies in it', () => {
    expect(timesOf('2026-10-25 02:10:00', '2026-10-25 02:20:00', 600)).toEqual({
      from: '00:10:00',
      to: '00:20:00',
      isGuessed: true,
    });
  });

  it('is not counted on any other night', () => {
    expect(timesOf('2026-10-24 02:10:00', '2026-10-24 02:20:00', 600)).toEqual({
      from: '00:10:00',
      to: '00:20:00',
      isGuessed: false,
    });
  });
});

describe('an hour that does not exist (Amsterdam, 29 March 2026, 02:00 to 03:00)', () => {
  it('is an error that names field, zone and time', () => {
    expect(timesOf('2026-03-29 02:30:00', '2026-03-29 03:10:00')).toMatchObject({
      kind: 'unmapped',
      errors: [
        {
          key: 'start',
          message:
            'field start: expected a local time that exists in Europe/Amsterdam, got "2026-03-29 02:30:00"',
        },
      ],
    });
  });

  it('is left out of the length of a call across it', () => {
    expect(timesOf('2026-03-29 01:59:00', '2026-03-29 03:01:00')).toEqual({
      from: '00:59:00',
      to: '01:01:00',
      isGuessed: false,
    });
  });
});

describe('zones', () => {
  const NAMES = [
    'UTC',
    'Europe/Amsterdam',
    'America/New_York',
    'America/St_Johns',
    'Australia/Lord_Howe',
    'Asia/Kathmandu',
    'Africa/Casablanca',
    'Pacific/Apia',
    'Pacific/Chatham',
  ];
  const seconds = fc.integer({ min: 86_400, max: 4_102_444_800 });

  it('give back every instant from what its clocks showed, among at most two', () => {
    fuzz(
      fc.property(fc.constantFrom(...NAMES), seconds, (name, second) => {
        const shown = new Date(second * 1000).toLocaleString('sv-SE', { timeZone: name }).replace(' ', 'T');
        const instants = zoneNamed(name)?.instantsOf(Date.parse(`${shown}Z`)) ?? [];
        expect(instants).toContain(second * 1000);
        expect(instants.length).toBeLessThanOrEqual(2);
      }),
    );
  });

  it('are IANA names and offsets, and nothing else', () => {
    for (const name of ['Europe/Amsterdam', 'UTC', 'Z', '+02:00', '-0330', '+05'])
      expect(zoneNamed(name)?.name).toBe(name);
    for (const name of ['', 'Europe/Nowhere', 'local', '02:00', '+24:00', '+02:60', 'a/../b', '../etc'])
      expect(zoneNamed(name)).toBeUndefined();
  });
});
