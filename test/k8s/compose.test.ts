import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { readConfig, type VariableName, variables } from '../../src/config.ts';
import { parse } from './manifests.ts';

const text = readFileSync(new URL('../../compose.yaml', import.meta.url), 'utf8');

/** `${NAME:-default}` as Compose puts it in where NAME is not set. */
function substituted(value: string): string {
  return value.replace(/\$\{\w+:-([^}]*)\}/g, '$1');
}

const serviceSchema = z.looseObject({
  image: z.string(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string().transform(substituted)).default({}),
  healthcheck: z.looseObject({}).optional(),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.string() })).default({}),
  stop_grace_period: z.string().optional(),
  logging: z.unknown().optional(),
});
const composeSchema = z.looseObject({ services: z.record(z.string(), serviceSchema) });

describe('compose.yaml', () => {
  const { services } = composeSchema.parse(parse(text, { merge: true })[0]);
  const own = Object.entries(services).filter(([, { image }]) => image === 'cdr-ingest');

  it('runs every command that a system needs', () => {
    expect(own.map(([name, { command }]) => [name, ...(command ?? [])])).toEqual([
      ['migrate', 'migrate', '--grant', 'worker=cdr_worker', 'console=cdr_console', 'upkeep=cdr_upkeep'],
      ['topology', 'topology'],
      ['worker', 'worker'],
      ['console', 'console'],
    ]);
  });

  it.each(own)('gives %s variables that the program accepts', (_, { environment }) => {
    // Node's own is looked at by test/k8s/memory.test.ts.
    const names = Object.keys(environment).filter((name) => name !== 'NODE_OPTIONS') as VariableName[];
    expect(names.filter((name) => !(name in variables))).toEqual([]);
    expect(() => readConfig(names, environment)).not.toThrow();
  });

  it('starts each service after those that it needs are healthy', () => {
    for (const [name, { depends_on }] of Object.entries(services)) {
      for (const [needed, { condition }] of Object.entries(depends_on)) {
        const isServer = services[needed]?.command === undefined;
        expect(services, `${name} needs ${needed}`).toHaveProperty(needed);
        expect(condition).toBe(isServer ? 'service_healthy' : 'service_completed_successfully');
        if (isServer) expect(services[needed]?.healthcheck, needed).toHaveProperty('test');
      }
    }
  });

  it('gives worker and console their own roles, and the owner only to the migration', () => {
    const userOf = (name: string) => new URL(services[name]?.environment.DATABASE_URL ?? '').username;
    expect(['migrate', 'worker', 'console'].map(userOf)).toEqual(['cdr', 'cdr_worker', 'cdr_console']);
  });

  it('keeps a bounded log of every service', () => {
    for (const [name, { logging }] of Object.entries(services)) {
      expect({ name, logging }).toEqual({
        name,
        logging: { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '5' } },
      });
    }
  });

  it('lets the worker drain', () => {
    const { SHUTDOWN_GRACE_MS } = readConfig(['SHUTDOWN_GRACE_MS'], {});
    const seconds = Number(services.worker?.stop_grace_period?.replace(/s$/, ''));
    expect(seconds * 1000).toBeGreaterThan(SHUTDOWN_GRACE_MS);
  });

  it('marks every password as one for trying things out', () => {
    const defaults = [...text.matchAll(/PASSWORD:-([^}]*)\}/g)].map(([, value]) => value);
    expect(new Set(defaults)).toEqual(new Set(['for-a-trial-only']));
  });
});
