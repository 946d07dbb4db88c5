import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { asyncApi, messageSchema } from '../../src/domain/schema.ts';
import { type Case, REFUSED } from './contract-cases.ts';
import { BASE, type Row, TABLE } from './contract-table.ts';
import { accepts, isObject } from './json-schema.ts';

const schema = messageSchema();
const REQUIRED = ['auth_username', 'auth_password', 'uniqueid', 'machine', 'start', 'scustomer'];

/** A document as its readers get it, through JSON. */
function published(document: unknown): unknown {
  return JSON.parse(JSON.stringify(document));
}

/** Whether JSON Schema can tell that a case is refused: it has no word for the value of a text's digits. */
function canTell({ name, published }: Row, { json, expected }: Case): boolean {
  if (expected !== REFUSED) return true;
  const value: unknown = json === undefined ? undefined : JSON.parse(json);
  // The numbers of JSON.parse are doubles, which make a whole number of some that are none.
  if (typeof value === 'number') return published[1] !== 'Decimal' && String(value) === json;
  if (typeof value !== 'string') return true;
  // Nor a pattern for lone surrogates that Go would take.
  if (!value.isWellFormed()) return false;
  return name !== 'taxes' && !/^-?\d+$/.test(value);
}

describe('the JSON Schema of a message', () => {
  it('knows the parameters, which are required, and no others', () => {
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    expect(Object.keys(schema.properties ?? {})).toEqual(TABLE.map(({ name }) => name));
    expect(schema.required).toEqual(REQUIRED);
    expect(accepts(schema, BASE)).toBe(true);
    expect(accepts(schema, { ...BASE, zebra: 1 })).toBe(false);
    expect(accepts(schema, [])).toBe(false);
  });

  it.each(TABLE)('accepts and refuses what the worker does: $name', (row) => {
    const { name, cases } = row;
    for (const each of cases.filter((one) => canTell(row, one))) {
      const { [name]: _, ...others } = BASE;
      const message = each.json === undefined ? others : { ...others, [name]: JSON.parse(each.json) };
      expect([each.label, accepts(published(schema), message)]).toEqual([
        each.label,
        each.expected !== REFUSED,
      ]);
    }
  });

  it('has every parameter described', () => {
    for (const property of Object.values(schema.properties ?? {})) {
      expect(property).toMatchObject({ description: expect.stringMatching(/\S/) });
    }
  });

  it('is what the messages of the document are checked with', () => {
    const document = readFileSync(new URL('../../docs/contract.md', import.meta.url), 'utf8');
    const blocks = [...document.matchAll(/^### 20[14].*?^```json\n(.*?)\n```$/gms)].map(
      ([, text = '']) => text,
    );
    const calls = blocks
      .map((text): unknown => JSON.parse(text))
      .filter((each) => isObject(each) && 'start' in each);
    expect(calls.length).toBeGreaterThan(3);
    for (const call of calls) expect(accepts(schema, call)).toBe(true);
  });
});

describe('the AsyncAPI document', () => {
  const document = published(asyncApi('1.2.3'));

  /** What a reference like #/a/b points to. */
  function at(reference: string): unknown {
    return reference
      .slice(2)
      .split('/')
      .reduce<unknown>(
        (part, key) => (isObject(part) && Object.hasOwn(part, key) ? part[key] : undefined),
        document,
      );
  }

  function referencesIn(part: unknown): string[] {
    if (Array.isArray(part)) return part.flatMap(referencesIn);
    if (!isObject(part)) return [];
    return typeof part.$ref === 'string' ? [part.$ref] : Object.values(part).flatMap(referencesIn);
  }

  it('is version 3.0.0 with what that requires', () => {
    expect(document).toMatchObject({ asyncapi: '3.0.0', info: { title: 'cdr-ingest', version: '1.2.3' } });
    const known = [
      'asyncapi',
      'id',
      'info',
      'servers',
      'defaultContentType',
      'channels',
      'operations',
      'components',
    ];
    expect(Object.keys(isObject(document) ? document : {}).filter((key) => !known.includes(key))).toEqual([]);
  });

  it('has no reference that points nowhere', () => {
    const references = referencesIn(document);
    expect(references.length).toBeGreaterThan(5);
    expect(references.filter((reference) => !isObject(at(reference)))).toEqual([]);
  });

  it('has operations that receive or send, each on a channel and with messages of that channel', () => {
    const operations = at('#/operations');
    const all = Object.values(isObject(operations) ? operations : {});
    expect(all.length).toBeGreaterThan(1);
    for (const operation of all) {
      const { action, channel, messages } = isObject(operation) ? operation : {};
      expect(['receive', 'send']).toContain(action);
      const [on] = referencesIn(channel);
      expect(on).toMatch(/^#\/channels\/\w+$/);
      for (const reference of referencesIn(messages))
        expect(reference).toMatch(new RegExp(`^${on}/messages/\\w+$`));
    }
  });

  it('has channels with an address and messages, every parameter of an address explained', () => {
    const channels = at('#/channels');
    for (const channel of Object.values(isObject(channels) ? channels : {})) {
      const { address, messages, parameters = {} } = isObject(channel) ? channel : {};
      expect(address === null || typeof address === 'string').toBe(true);
      expect(referencesIn(messages).length).toBeGreaterThan(0);
      const named = [...String(address).matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(Object.keys(isObject(parameters) ? parameters : {})).toEqual(named);
    }
  });

  it('has the message of the JSON Schema and the envelope of the replies', () => {
    expect(at('#/components/messages/call/payload')).toEqual(published(schema));
    const reply = { responses: [{ code: '204', key: '', message: 'OK' }] };
    const payload = at('#/components/messages/result/payload');
    expect(payload).toMatchObject({ required: ['responses'], properties: { responses: { type: 'array' } } });
    expect(Object.keys(reply.responses[0] ?? {})).toEqual(
      at('#/components/messages/result/payload/properties/responses/items/required'),
    );
  });
});
