import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

export const overlays = ['dev', 'production'] as const;
export type Overlay = (typeof overlays)[number];

const root = fileURLToPath(new URL('../../k8s/', import.meta.url));

const envSchema = z.looseObject({ name: z.string(), value: z.string().optional() });
const securitySchema = z.looseObject({});
export const containerSchema = z.looseObject({
  name: z.string(),
  image: z.string(),
  env: z.array(envSchema).default([]),
  securityContext: securitySchema.default({}),
});
export const podSchema = z.looseObject({
  containers: z.array(containerSchema).min(1),
  securityContext: securitySchema.default({}),
  automountServiceAccountToken: z.boolean().optional(),
  volumes: z.array(z.unknown()).default([]),
  terminationGracePeriodSeconds: z.number().optional(),
});
const manifestSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});

export type Manifest = z.output<typeof manifestSchema>;
export type Pod = z.output<typeof podSchema>;

/** Every YAML file below k8s, by its path there. */
export const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) =>
  path.endsWith('.yaml'),
);

/** Strict: a key given twice, or an indentation gone wrong, is an error. `merge` allows `<<`. */
export function parse(text: string, options: { merge?: boolean } = {}): unknown[] {
  return parseAllDocuments(text, { uniqueKeys: true, ...options }).map((document) => {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) throw problem;
    return document.toJS();
  });
}

export function read(path: string): unknown[] {
  return parse(readFileSync(join(root, path), 'utf8'));
}

/** The objects that the files contain, before Kustomize has worked on them. */
export function written(): Manifest[] {
  return files
    .filter((path) => basename(path) !== 'kustomization.yaml')
    .flatMap((path) => read(path).map((document) => manifestSchema.parse(document)));
}

export const hasKubectl = spawnSync('kubectl', ['kustomize', '--help']).status === 0;

/** What `kubectl apply -k` would send. */
export function rendered(overlay: Overlay): Manifest[] {
  const text = execFileSync('kubectl', ['kustomize', join(root, 'overlays', overlay)], { encoding: 'utf8' });
  return parse(text).map((document) => manifestSchema.parse(document));
}

export function ofKind(manifests: readonly Manifest[], kind: string, name?: string): Manifest[] {
  return manifests.filter(
    (manifest) => manifest.kind === kind && (name === undefined || manifest.metadata.name === name),
  );
}

/** The one object of this kind and name; throws where there is none. */
export function only(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const [manifest] = ofKind(manifests, kind, name);
  if (manifest === undefined) throw new Error(`expected a ${kind} named ${name}, found none`);
  return manifest;
}

const templated = z.looseObject({ spec: z.looseObject({ template: z.looseObject({ spec: podSchema }) }) });

/** The pods that this project's own image runs in. */
export function ownPods(manifests: readonly Manifest[]): { of: string; pod: Pod }[] {
  return manifests.flatMap((manifest) => {
    const result = templated.safeParse(manifest);
    const isOwn = manifest.metadata.name.startsWith('cdr-ingest');
    return result.success && isOwn
      ? [{ of: `${manifest.kind} ${manifest.metadata.name}`, pod: result.data.spec.template.spec }]
      : [];
  });
}

/** `NAME=value` lines, as Kustomize reads them. */
export function readSettings(): Map<string, string> {
  const lines = readFileSync(join(root, 'base/settings.env'), 'utf8').split('\n');
  const pairs = lines.filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    pairs.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
  );
}
