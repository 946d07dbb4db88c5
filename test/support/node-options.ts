import { readFileSync } from 'node:fs';

/** What a manifest of k8s/ sets for Node: its first NODE_OPTIONS. @throws if it sets none */
export function nodeOptionsOf(manifest: string): string {
  const text = readFileSync(new URL(`../../k8s/${manifest}`, import.meta.url), 'utf8');
  const found = /- name: NODE_OPTIONS\n\s+value: (.+)$/m.exec(text)?.[1];
  if (found === undefined) throw new Error(`expected NODE_OPTIONS in k8s/${manifest}, found none`);
  return found;
}

/** What every worker runs with in production. */
export const WORKER_NODE_OPTIONS = nodeOptionsOf('base/deployment.yaml');
