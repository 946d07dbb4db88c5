import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { createMetrics } from '../../src/worker/metrics.ts';
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
    runbook_url: z.url(),
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
const rowSchema = z.looseObject({ type: z.literal('row'), id: z.number(), title: z.string() });
const panelSchema = z.looseObject({
  type: z.literal('timeseries'),
  id: z.number(),
  title: z.string(),
  fieldConfig: z.looseObject({ defaults: z.looseObject({ unit: z.string() }) }),
  targets: z.array(z.strictObject({ refId: z.string(), expr: z.string(), legendFormat: z.string() })),
});
const dashboardSchema = z.looseObject({
  panels: z.array(z.discriminatedUnion('type', [rowSchema, panelSchema])),
});

/** The groups of alert rules, as Prometheus itself takes them in a file. */
export const groups = rulesSchema.parse(only(written(), 'PrometheusRule', 'cdr-ingest')).spec.groups;
export const alerts = groups.flatMap((group) => group.rules);

/** Rows, each a question, and the panels that answer it after it. */
export const dashboard = dashboardSchema.parse(
  JSON.parse(readFileSync(new URL('../../k8s/overlays/production/dashboard.json', import.meta.url), 'utf8')),
).panels;
export const panels = dashboard.filter((panel) => panel.type === 'timeseries');

/** A query of the dashboard with what Grafana puts in place of its variables. */
export function filledIn(expr: string, rateInterval: string): string {
  return expr.replaceAll('$namespace', '.*').replaceAll('$__rate_interval', rateInterval);
}

/** Words of PromQL that stand where a metric could and are none. */
const KEYWORDS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan']);

/** Every metric that a query names. */
export function metricsOf(query: string): string[] {
  const bare = query
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}|\[[^\]]*\]|\boffset \w+/g, ' ')
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ');
  return [...bare.matchAll(/[a-z_:][\w:]*(?!\w)(?!\s*\()/gi)]
    .map(([word]) => word)
    .filter((word) => !KEYWORDS.has(word.toLowerCase()));
}

/** The names of the series that a worker exports, the parts of its histograms and summaries among them. */
export async function exported(): Promise<Set<string>> {
  const text = await createMetrics().registry.metrics();
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  return new Set(
    types.flatMap(([, name, type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [`${name}`],
    ),
  );
}
