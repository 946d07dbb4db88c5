import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { hasKubectl, overlays, ownPods, parse, rendered } from './manifests.ts';

const MIB = 2 ** 20;
const UNITS: Record<string, number> = { Mi: MIB, m: MIB };
/** What is not on the heap: code, stacks, buffers. */
const MOST_OF_LIMIT = 0.8;
/** V8's young generation is three of these. */
const SEMI_SPACES = 3;

function bytesOf(text: string): number {
  const [, number = '', unit = ''] = /^(\d+)(Mi|m)$/.exec(text) ?? [];
  const factor = UNITS[unit];
  if (factor === undefined) throw new Error(`expected memory in MiB, got ${text}`);
  return Number(number) * factor;
}

/** The largest heap that these options of Node allow, the young generation with it. */
function heapOf(options: string): number {
  const option = (name: string) => Number(new RegExp(`--${name}=(\\d+)`).exec(options)?.[1]);
  return (option('max-old-space-size') + SEMI_SPACES * option('max-semi-space-size')) * MIB;
}

interface Limited {
  of: string;
  options: string;
  limit: string;
}

const limited = z.looseObject({
  resources: z.looseObject({ limits: z.looseObject({ memory: z.string() }) }),
});
const composeSchema = z.looseObject({
  services: z.record(
    z.string(),
    z.looseObject({
      image: z.string(),
      mem_limit: z.string().optional(),
      environment: z.record(z.string(), z.string()).default({}),
    }),
  ),
});

function inOverlays(): Limited[] {
  return overlays.flatMap((overlay) =>
    ownPods(rendered(overlay)).flatMap(({ of, pod }) =>
      pod.containers.map((container) => ({
        of: `${of} of ${overlay}`,
        options: container.env.find(({ name }) => name === 'NODE_OPTIONS')?.value ?? '',
        limit: limited.parse(container).resources.limits.memory,
      })),
    ),
  );
}

function inCompose(): Limited[] {
  const text = readFileSync(new URL('../../compose.yaml', import.meta.url), 'utf8');
  const { services } = composeSchema.parse(parse(text, { merge: true })[0]);
  return Object.entries(services)
    .filter(([, { image }]) => image === 'cdr-ingest')
    .map(([name, { environment, mem_limit: limit = '' }]) => ({
      of: `${name} of compose.yaml`,
      options: environment.NODE_OPTIONS ?? '',
      limit,
    }));
}

describe('the heap', () => {
  const containers = [...(hasKubectl ? inOverlays() : []), ...inCompose()];

  it.each(containers)('of $of fits its limit of $limit', ({ of, options, limit }) => {
    // People run commands in the console's container, which inherit its options and share its limit.
    const processes = /^(Deployment cdr-ingest-)?console /.test(of) ? 2 : 1;
    const heap = heapOf(options);
    expect(heap).toBeGreaterThan(0);
    expect(processes * heap).toBeLessThan(MOST_OF_LIMIT * bytesOf(limit));
  });

  it('of the image alone is left to Node, which knows the memory of its container', () => {
    const dockerfile = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8');
    expect(dockerfile).not.toMatch(/--max-(old|semi)-space/);
  });
});
