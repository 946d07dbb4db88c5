import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { expect, it } from 'vitest';
import { billFor } from '../../src/domain/bill.ts';
import { billedMessagesOf } from '../../src/domain/billed-message.ts';
import { charge } from '../../src/domain/charge.ts';
import { asyncApi } from '../../src/domain/schema.ts';
import { call, references } from './references.ts';

const require = createRequire(import.meta.url);

it('is a document that the published schema of AsyncAPI 3.0 accepts', () => {
  const schema = require('@asyncapi/specs/schemas/3.0.0-without-$id.json') as object;
  const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
  const document = JSON.parse(JSON.stringify(asyncApi('1.2.3'))) as unknown;
  const isValid = validate(document);
  expect(validate.errors ?? []).toEqual([]);
  expect(isValid).toBe(true);
  expect(validate({ asyncapi: '3.0.0' })).toBe(false);
});

it('describes billed messages: every part of one, and no other', () => {
  const { payload, headers } = asyncApi('1.2.3').components.messages.billed;
  const validate = new Ajv({ strict: false, allErrors: true }).compile(everythingRequired(payload) as object);
  const charging = charge(call({ taxes: '1,2' }), references());
  if (charging.kind === 'refused') throw new Error('this call cannot be charged');
  const bill = billFor({ call: { cdr: call() }, charge: charging.charge });
  const [message] = billedMessagesOf({ kind: 'duplicate', bill });
  validate(JSON.parse(message?.body ?? ''));
  expect(validate.errors ?? []).toEqual([]);
  expect(Object.keys(headers.properties).sort()).toEqual(['entry', 'repeat', 'uniqueid']);
});

/** The same schema, in which nothing may be missing and nothing be added. */
function everythingRequired(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return schema;
  const entries = Object.entries(schema).map(([name, value]) => [name, everythingRequired(value)] as const);
  const strict = Object.fromEntries(entries);
  return 'properties' in strict && 'type' in strict
    ? { ...strict, required: Object.keys(strict.properties as object), additionalProperties: false }
    : strict;
}
it('has the parameters of corrections, of which uniqueid and credentials are required', () => {
  const { channels, components } = asyncApi('1.2.3');
  expect(Object.keys(channels)).toEqual(expect.arrayContaining(['create', 'update', 'void']));
  const validate = (name: string) => {
    const messages = components.messages as Record<string, { payload: object }>;
    const { $schema, ...payload } = { $schema: '', ...messages[name]?.payload };
    return new Ajv({ strict: false, validateFormats: false }).compile(payload);
  };
  const least = { auth_username: 'shop', auth_password: 'secret', uniqueid: 'u-1' };
  expect(validate('void')(least)).toBe(true);
  expect(validate('void')({ ...least, cost: 1 })).toBe(false);
  expect(validate('update')({ ...least, cost: 1.5, customer: '7', taxes: '', time: '' })).toBe(true);
  expect(validate('update')({ ...least, cost: '1,5' })).toBe(false);
  expect(validate('update')({ ...least, uniqueid: undefined })).toBe(false);
});
