import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import * as z from 'zod';

/** Overlays with the program itself. */
export const overlays = ['dev', 'production'] as const;
/** What those of production need, each deleted and applied apart from the workers. */
export const stores = ['production-stores', 'production-topology'] as const;
export type Overlay = (typeof overlays | typeof stores)[number];

const root = fileURLToPath(new URL('../../k8s/', import.meta.url));

const envSchema = z.looseObject({ name: z.string(), value: z.string().optional() });
const securitySchema = z.looseObject({});
export const containerSchema = z.looseObject({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()).default([]),
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

/** Files below k8s that hold no objects. */
const NO_OBJECTS = ['kustomization.yaml', 'sources.yaml'];

/** The objects that the files contain, before Kustomize has worked on them. */
export function written(): Manifest[] {
  return files
    .filter((path) => !NO_OBJECTS.includes(basename(path)))
    .flatMap((path) => read(path).map((document) => manifestSchema.parse(document)));
}

/** The sources file of the component. */
export function sourcesFile(): string {
  return readFileSync(join(root, 'components/sources/sources.yaml'), 'utf8');
}

export const hasKubectl = spawnSync('kubectl', ['kustomize', '--help']).status === 0;

const renderedBefore = new Map<string, Manifest[]>();

/**
 * What `kubectl apply -k` would send for the overlay, or for one of one's own on top of it with `more` in it, where K8S stands
 * for this directory. Rendered once.
 */
export function rendered(overlay: Overlay, more?: string): Manifest[] {
  const key = `${overlay}\n${more ?? ''}`;
  const manifests = renderedBefore.get(key) ?? render(overlay, more);
  renderedBefore.set(key, manifests);
  return manifests;
}

function render(overlay: Overlay, more: string | undefined): Manifest[] {
  const given = join(root, 'overlays', overlay);
  const top = more === undefined ? undefined : mkdtempSync(join(tmpdir(), 'cdr-ingest-overlay-'));
  try {
    if (top !== undefined && more !== undefined) {
      const from = realpathSync(top);
      const text = more.replaceAll('K8S', relative(from, root));
      writeFileSync(join(top, 'kustomization.yaml'), `resources: [${relative(from, given)}]\n${text}`);
    }
    const text = execFileSync('kubectl', ['kustomize', top ?? given], { encoding: 'utf8' });
    return parse(text).map((document) => manifestSchema.parse(document));
  } finally {
    if (top !== undefined) rmSync(top, { recursive: true });
  }
}

/** Everything that runs in production. */
export function wholeProduction(): Manifest[] {
  return (['production-stores', 'production-topology', 'production'] as const).flatMap((overlay) =>
    rendered(overlay),
  );
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

const template = z.looseObject({ spec: podSchema });
const job = z.looseObject({ spec: z.looseObject({ template }) });
/** A Deployment or a Job has a pod; a CronJob has a job that has one. */
const templated = z.union([
  job.transform(({ spec }) => spec.template.spec),
  z
    .looseObject({ spec: z.looseObject({ jobTemplate: job }) })
    .transform(({ spec }) => spec.jobTemplate.spec.template.spec),
]);

/** The pods that this project's own image runs in. */
export function ownPods(manifests: readonly Manifest[]): { of: string; pod: Pod }[] {
  return manifests.flatMap((manifest) => {
    const result = templated.safeParse(manifest);
    const isOwn = manifest.metadata.name.startsWith('cdr-ingest');
    return result.success && isOwn
      ? [{ of: `${manifest.kind} ${manifest.metadata.name}`, pod: result.data }]
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
