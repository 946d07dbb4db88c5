import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Cdr, toCdr } from '../../src/domain/cdr.ts';
import { validate } from '../../src/domain/validate.ts';
import { type Mapped, mapRecord } from '../../src/sources/map.ts';
import { feedIn, PRESETS, preset } from './feeds.ts';

const SAMPLES = new URL('samples/', import.meta.url);

type Expected = Record<string, string | number>;
const expectations = JSON.parse(sample('expected.json')) as Record<string, Expected[] | 'skip'>;

/** Which preset reads which sample. */
const PRESET_OF: Readonly<Record<string, string>> = {
  '01-freeswitch-mod_amqp-a-leg.json': 'freeswitch-amqp.yaml',
  '02-freeswitch-mod_amqp-b-leg.json': 'freeswitch-amqp.yaml',
  '03-freeswitch-mod_json_cdr-cancelled.json': 'freeswitch-json-cdr.yaml',
  '05-asterisk-cdr_amqp.json': 'asterisk-cdr-amqp.yaml',
  '08-kamailio-acc_json-cdr.json': 'kamailio-acc-json.yaml',
  '09-opensips-E_ACC_CDR.json': 'opensips-acc-cdr.yaml',
  '11-kazoo-cdr-report.json': 'kazoo.yaml',
  '15-cgrates-ees-amqp.json': 'cgrates-ees.yaml',
  '16-yeti-cdr_amqp.json': 'yeti.yaml',
};

function sample(name: string): string {
  return readFileSync(new URL(name, SAMPLES), 'utf8');
}

/** What billing has loaded: keys of customers at the samples' time, and peers by name. */
const KEYS: Readonly<Record<string, number>> = {
  'account harbour 1790000000': 101,
  'kazoo-account 0f3d2c1b0a9f8e7d6c5b4a3928171605 1790000000': 101,
};
const PEERS: Readonly<Record<string, number>> = { 'carrier-a': 1 };

/** The parameters of a call with its lookups found, as a message of the contract would have them. */
function completed(mapped: Mapped): Record<string, unknown> {
  if (mapped.kind !== 'call') throw new Error(`expected a call, got ${JSON.stringify(mapped)}`);
  const found = mapped.lookups.map((lookup) => [
    lookup.parameter,
    lookup.parameter === 'peer' ? PEERS[lookup.name] : KEYS[`${lookup.kind} ${lookup.key} ${lookup.at}`],
  ]);
  return { ...mapped.fields, ...Object.fromEntries(found) };
}

/** A call as it would be stored: the contract holds, and every default is resolved. */
function stored(fields: Record<string, unknown>): Cdr {
  const result = validate({ ...fields, auth_username: 'u', auth_password: 'p' }, new Set());
  if (result.kind === 'invalid') throw new Error(JSON.stringify(result.errors));
  return toCdr(result.parameters, 'USD');
}

/** What an expectation says in words as the value that it stands for. */
function meant(value: string | number): string {
  return String(value).replace(/^\(.*?(?:-> |: |_id )(.*)\)$/, '$1');
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
    const expected = expectations[name];
    if (expected === 'skip') {
      expect(mapped.kind).toBe('skip');
      return;
    }
    const [parameters = {}] = expected ?? [];
    const wanted = Object.entries(parameters).map(([key, value]) => [key, meant(value)]);
    expect(stored(completed(mapped))).toEqual(stored(Object.fromEntries(wanted)));
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
