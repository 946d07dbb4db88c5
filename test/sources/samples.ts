import { readFileSync } from 'node:fs';
import { type Cdr, toCdr } from '../../src/domain/cdr.ts';
import { validate } from '../../src/domain/validate.ts';

export const SAMPLES = new URL('samples/', import.meta.url);

type Expected = Record<string, string | number>;

export function sample(name: string): string {
  return readFileSync(new URL(name, SAMPLES), 'utf8');
}

/** What each sample becomes. */
export const expectations = JSON.parse(sample('expected.json')) as Record<string, Expected[] | 'skip'>;

/** Which preset reads which sample. */
export const PRESET_OF: Readonly<Record<string, string>> = {
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

/** When the calls of the samples began. */
export const SAMPLE_TIME = 1_790_000_000;

/** What billing has loaded for them: keys of customers, valid at the samples' time, and peers by name. */
export const SAMPLE_KEYS = [
  { kind: 'account', key: 'harbour', customer: 101 },
  { kind: 'kazoo-account', key: '0f3d2c1b0a9f8e7d6c5b4a3928171605', customer: 101 },
] as const;
export const SAMPLE_PEERS: Readonly<Record<string, number>> = { 'carrier-a': 1 };

/** A call as it would be stored: the contract holds, and every default is resolved. */
export function asStored(fields: Record<string, unknown>): Cdr {
  const result = validate({ ...fields, auth_username: 'u', auth_password: 'p' }, new Set());
  if (result.kind === 'invalid') throw new Error(JSON.stringify(result.errors));
  return toCdr(result.call, 'USD');
}

/** The call that a sample becomes, null where it is left out. */
export function expectedCall(name: string): Cdr | null {
  const expected = expectations[name];
  if (expected === undefined) throw new Error(`expected.json has nothing on ${name}`);
  if (expected === 'skip') return null;
  const [parameters = {}] = expected;
  return asStored(Object.fromEntries(Object.entries(parameters).map(([key, value]) => [key, meant(value)])));
}

/** What an expectation says in words as the value that it stands for. */
function meant(value: string | number): string {
  return String(value).replace(/^\(.*?(?:-> |: |_id )(.*)\)$/, '$1');
}
