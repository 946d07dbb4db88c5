import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createMetrics } from '../../src/ops/metrics.ts';
import { only, written } from './manifests.ts';

const ruleSchema = z.strictObject({
  alert: z.string().regex(/^CdrIngest[A-Z]\w+$/),
  expr: z.string(),
  for: z
    .string()
    .regex(/^\d+m$/)
    .optional(),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning', 'info']) }),
  annotations: z.strictObject({
    summary: z.string(),
    description: z.string(),
    runbook: z.string().min(20),
  }),
});
const rulesSchema = z.looseObject({
  spec: z.strictObject({
    groups: z.array(z.strictObject({ name: z.string(), rules: z.array(ruleSchema) })),
  }),
});

/** Words of PromQL that stand where a metric could and are none. */
const KEYWORDS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan']);

/** Every metric that a query names. */
function metricsOf(query: string): string[] {
  const bare = query
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}|\[[^\]]*\]/g, ' ')
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ');
  return [...bare.matchAll(/[a-z_:][\w:]*(?!\w)(?!\s*\()/gi)]
    .map(([word]) => word)
    .filter((word) => !KEYWORDS.has(word.toLowerCase()));
}

/** The names of the series that a worker exports, the parts of its histograms and summaries among them. */
async function exported(): Promise<Set<string>> {
  const text = await createMetrics().registry.metrics();
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  return new Set(
    types.flatMap(([, name, type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [`${name}`],
    ),
  );
}

describe('the alerts', () => {
  const { groups } = rulesSchema.parse(only(written(), 'PrometheusRule', 'cdr-ingest')).spec;
  const rules = groups.flatMap((group) => group.rules);

  it('have names of their own', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  });

  it.each(rules)('$alert asks for metrics that the worker exports', async ({ expr }) => {
    const names = metricsOf(expr);
    const known = await exported();
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('the metrics of a query', () => {
  it.each([
    ['sum by (le) (rate(a_bucket{x="b_total"}[5m])) > 0.5', ['a_bucket']],
    ['a_total / on (instance) group_left (pod) b unless absent(c)', ['a_total', 'b', 'c']],
    ['histogram_quantile(0.99, sum(rate(a:b[1h:5m])) without (pod))', ['a:b']],
  ])('are found in %s', (query, names) => {
    expect(metricsOf(query)).toEqual(names);
  });
});
