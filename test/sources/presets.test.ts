import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Mapped, mapRecord } from '../../src/sources/map.ts';
import { feedIn, PRESETS, preset } from './feeds.ts';
import {
  asStored,
  expectations,
  expectedCall,
  PRESET_OF,
  SAMPLE_KEYS,
  SAMPLE_PEERS,
  SAMPLE_TIME,
  SAMPLES,
  sample,
} from './samples.ts';

/** The parameters of a call with its lookups found, as a message of the contract would have them. */
function completed(mapped: Mapped): Record<string, unknown> {
  if (mapped.kind !== 'call') throw new Error(`expected a call, got ${JSON.stringify(mapped)}`);
  const found = mapped.lookups.map((lookup) => {
    if (lookup.parameter === 'peer') return [lookup.parameter, SAMPLE_PEERS[lookup.name]];
    const row = SAMPLE_KEYS.find(({ kind, key }) => kind === lookup.kind && key === lookup.key);
    return [lookup.parameter, lookup.at === SAMPLE_TIME ? row?.customer : undefined];
  });
  return { ...mapped.fields, ...Object.fromEntries(found) };
}

describe('the presets', () => {
  it('are tried on every sample', () => {
    const samples = readdirSync(SAMPLES).filter((name) => name.endsWith('.json') && name !== 'expected.json');
    expect(Object.keys(PRESET_OF)).toEqual(samples);
    expect(Object.keys(expectations)).toEqual(samples);
  });

  it.each(PRESETS)('%s is a sources file without a problem', (name) => {
    expect(feedIn(preset(name)).spec.machines.length).toBeGreaterThan(0);
  });

  it.each(Object.entries(PRESET_OF))('make of %s what its expectation says (%s)', (name, file) => {
    const mapped = mapRecord(feedIn(preset(file)), sample(name));
    const expected = expectedCall(name);
    if (expected === null) expect(mapped.kind).toBe('skip');
    else expect(asStored(completed(mapped))).toEqual(expected);
  });

  it('keep both legs of a FreeSWITCH call where they are asked to, tied together by callid', () => {
    const feed = feedIn(preset('freeswitch-amqp-both-legs.yaml'));
    const legs = [sample('01-freeswitch-mod_amqp-a-leg.json'), sample('02-freeswitch-mod_amqp-b-leg.json')];
    const calls = legs.map((text) => completed(mapRecord(feed, text)));
    expect(calls.map(({ uniqueid }) => uniqueid)).toEqual([
      '7f0c1f9e-0b6e-4d6d-9a33-5b0f6a9d2c11',
      '9d1a7c44-6a0d-4e0a-b1c2-0f5f3e2d8a77',
    ]);
    expect(new Set(calls.map(({ callid }) => callid))).toEqual(
      new Set(['7f0c1f9e-0b6e-4d6d-9a33-5b0f6a9d2c11']),
    );
    expect(calls.map(({ stype }) => stype)).toEqual(['inbound', 'outbound']);
  });

  it('never leave a call that was not answered with the talk time of an answered one', () => {
    const record = JSON.parse(sample('15-cgrates-ees-amqp.json'));
    const unanswered = { ...record, AnswerTime: '0001-01-01T00:00:00Z', Usage: '0s', Cost: '0' };
    const call = completed(mapRecord(feedIn(preset('cgrates-ees.yaml')), JSON.stringify(unanswered)));
    expect(call).toMatchObject({ end: 1790000000, talktime: 0, status: 'noanswer', cost: '0' });
  });

  it('refuse a rated record whose cost is missing or empty, naming the field', () => {
    const record = JSON.parse(sample('16-yeti-cdr_amqp.json'));
    for (const customer_price_no_vat of [undefined, null, '']) {
      const mapped = mapRecord(
        feedIn(preset('yeti.yaml')),
        JSON.stringify({ ...record, customer_price_no_vat }),
      );
      expect(mapped).toMatchObject({ kind: 'unmapped', errors: [{ key: 'cost' }] });
    }
  });
});
