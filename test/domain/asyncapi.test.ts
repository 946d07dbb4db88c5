import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { expect, it } from 'vitest';
import { asyncApi } from '../../src/domain/schema.ts';

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
