import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { promtool } from '../../dev/stack/prometheus.ts';
import { alerts, exported, groups, metricsOf, panels } from './queries.ts';

const LABEL = /\{\{ \$labels\.queue \}\}/g;
const directory = mkdtempSync(join(tmpdir(), 'cdr-ingest-rules-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The names in a query that no worker exports. */
async function unknownIn(expr: string): Promise<string[]> {
  const names = metricsOf(expr);
  const known = await exported();
  expect(names.length).toBeGreaterThan(0);
  return names.filter((name) => !known.has(name));
}

describe('the alerts', () => {
  it('have names of their own', () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
  });

  it.each(alerts)('$alert asks for metrics that the worker exports', async ({ expr }) => {
    expect(await unknownIn(expr)).toEqual([]);
  });

  it('are rules that promtool takes', async () => {
    const file = join(directory, 'rules.yml');
    writeFileSync(file, JSON.stringify({ groups }));
    expect(await promtool(['check', 'rules', file])).toContain(`SUCCESS: ${alerts.length} rules found`);
  });

  it('are refused by promtool when they are wrong', async () => {
    const file = join(directory, 'wrong.yml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'g', rules: [{ alert: 'A', expr: 'rate(x' }] }] }));
    await expect(promtool(['check', 'rules', file])).rejects.toThrow('could not parse expression');
  });

  it('fire when a worker is paused, and when one holds calls and settles none', async () => {
    const labels = 'namespace="n",pod="p"';
    const tests = {
      rule_files: [join(directory, 'rules.yml')],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: [
            { series: `cdr_ingest_paused{queue="cdrs.create",${labels}}`, values: '0x5 1x20' },
            { series: `cdr_ingest_in_flight_messages{${labels}}`, values: '500x25' },
            { series: `cdr_ingest_results_total{code="204",${labels}}`, values: '0+60x5 300x20' },
          ],
          alert_rule_test: [
            { eval_time: '5m', alertname: 'CdrIngestPaused', exp_alerts: [] },
            { eval_time: '5m', alertname: 'CdrIngestStuck', exp_alerts: [] },
            ...['CdrIngestPaused', 'CdrIngestStuck'].map((alertname) => ({
              eval_time: '20m',
              alertname,
              exp_alerts: [
                {
                  exp_labels: { severity: 'critical', namespace: 'n' },
                  exp_annotations: alerts.find(({ alert }) => alert === alertname)?.annotations,
                },
              ],
            })),
          ],
        },
      ],
    };
    const file = join(directory, 'tests.yml');
    writeFileSync(join(directory, 'rules.yml'), JSON.stringify({ groups }));
    writeFileSync(file, JSON.stringify(tests));
    expect(await promtool(['test', 'rules', file])).toContain('SUCCESS');
  });
});

describe('a subscription that is lost', () => {
  it('raises an alarm at once where it was lost over what came on it, and later where it does not come back', async () => {
    const labels = 'namespace="n",pod="p",queue="cdrs.create"';
    const fired = (alertname: string) => ({
      eval_time: '20m',
      alertname,
      exp_alerts: [
        {
          exp_labels: { severity: 'critical', namespace: 'n', queue: 'cdrs.create' },
          exp_annotations: written(alertname),
        },
      ],
    });
    const written = (name: string) => {
      const annotations = alerts.find(({ alert }) => alert === name)?.annotations ?? {};
      const lines = Object.entries(annotations).map(([key, text]) => [
        key,
        String(text).replace(LABEL, 'cdrs.create'),
      ]);
      return Object.fromEntries(lines);
    };
    const tests = {
      rule_files: [join(directory, 'rules.yml')],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: [
            { series: `cdr_ingest_consuming{${labels}}`, values: '1x10 0x20' },
            { series: `cdr_ingest_consumer_losses_total{cause="decoding",${labels}}`, values: '0x10 1x20' },
          ],
          alert_rule_test: [
            { eval_time: '10m', alertname: 'CdrIngestNotConsuming', exp_alerts: [] },
            { eval_time: '10m', alertname: 'CdrIngestDecoding', exp_alerts: [] },
            ...['CdrIngestNotConsuming', 'CdrIngestDecoding'].map(fired),
          ],
        },
      ],
    };
    const file = join(directory, 'losses.yml');
    writeFileSync(join(directory, 'rules.yml'), JSON.stringify({ groups }));
    writeFileSync(file, JSON.stringify(tests));
    expect(await promtool(['test', 'rules', file])).toContain('SUCCESS');
  });
});

describe('the dashboard', () => {
  it.each(panels)('asks in "$title" for metrics that the worker exports', async ({ targets }) => {
    for (const { expr } of targets) expect(await unknownIn(expr)).toEqual([]);
  });

  it('numbers its panels and gives each a title of its own', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
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
