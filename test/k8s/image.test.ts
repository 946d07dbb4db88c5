import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const dockerfile = read('Dockerfile');

const dependencies = z.record(z.string(), z.string()).default({});
const packageSchema = z.looseObject({
  version: z.string(),
  description: z.string(),
  license: z.string(),
  dependencies,
  devDependencies: dependencies,
});
const entrySchema = z.looseObject({ integrity: z.string().optional(), optionalDependencies: dependencies });
const lockSchema = z.looseObject({ packages: z.record(z.string(), entrySchema) });

const own = packageSchema.parse(JSON.parse(read('package.json')));

/** Where npm finds a package for the one at `path`: in its own node_modules, else in one further up. */
function foundFrom(path: string, name: string, packages: z.output<typeof lockSchema>['packages']) {
  for (let base = path; ; base = base.slice(0, Math.max(0, base.lastIndexOf('/node_modules/')))) {
    const place = `${base === '' ? '' : `${base}/`}node_modules/${name}`;
    if (packages[place] !== undefined) return packages[place];
    if (base === '') return undefined;
  }
}

describe('the Dockerfile', () => {
  it('installs what the lock file has, and fails where package.json has something else', () => {
    const installing = [...dockerfile.matchAll(/^RUN .*(npm (?:ci|install|i)\b.*)$/gm)].map(
      ([, command]) => command,
    );
    expect(installing).toEqual([
      'npm ci --ignore-scripts --no-audit --no-fund',
      'npm ci --omit=dev --ignore-scripts --no-audit --no-fund',
    ]);
    expect(dockerfile).not.toContain('|| npm');
  });

  it('says what the image is', () => {
    const labels = Object.fromEntries(
      [...dockerfile.matchAll(/org\.opencontainers\.image\.(\w+)="([^"]*)"/g)].map(([, name, value]) => [
        name,
        value?.replace(/^\$\{(\w+)\}$/, 'ARG $1'),
      ]),
    );
    expect(labels).toEqual({
      title: 'cdr-ingest',
      description: own.description,
      licenses: own.license,
      source: 'ARG SOURCE',
      version: 'ARG VERSION',
      revision: 'ARG REVISION',
      created: 'ARG CREATED',
    });
    expect(/^ARG VERSION=(.*)$/m.exec(dockerfile)?.[1]).toBe(own.version);
  });
});

describe('the lock file', () => {
  const { packages } = lockSchema.parse(JSON.parse(read('package-lock.json')));

  it('is that of package.json', () => {
    expect(packages['']).toMatchObject({
      dependencies: own.dependencies,
      devDependencies: own.devDependencies,
    });
  });

  it('has the programs of every platform, without which npm ci refuses it', () => {
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies }]) =>
      Object.keys(optionalDependencies)
        .filter((name) => foundFrom(path, name, packages)?.integrity === undefined)
        .map((name) => `${name} of ${path}`),
    );
    expect(missing).toEqual([]);
  });
});
