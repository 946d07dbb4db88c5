import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { promtool } from '../../dev/stack/prometheus.ts';
import { codes, parkedReasons } from '../../src/domain/outcome.ts';
import { isReason } from '../../src/domain/record.ts';
import { only, read, written } from './manifests.ts';
import { alerts, dashboard, exported, groups, metricsOf, panels } from './queries.ts';

const directory = mkdtempSync(join(tmpdir(), 'cdr-ingest-rules-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What others export: the kubelet, and Prometheus itself. */
const FOREIGN = ['up', 'kubelet_volume_stats_available_bytes', 'kubelet_volume_stats_capacity_bytes'];

/** The names in a query that neither a worker exports nor one of those. */
async function unknownIn(expr: string): Promise<string[]> {
  const names = metricsOf(expr);
  const known = new Set([...(await exported()), ...FOREIGN]);
  expect(names.length).toBeGreaterThan(0);
  return names.filter((name) => !known.has(name));
}

describe('the alerts', () => {
  it('have unique names', () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
  });

  it.each(alerts)('$alert uses only metrics that exist', async ({ expr }) => {
    expect(await unknownIn(expr)).toEqual([]);
  });

  it('report every reason that waits for an operator, and no other', () => {
    const { expr = '' } = alerts.find(({ alert }) => alert === 'CdrIngestParkedCalls') ?? {};
    expect(/reason=~"([^"]*)"/.exec(expr)?.[1]?.split('|').sort()).toEqual([...parkedReasons].sort());
  });

  it('look for the workers of the namespace that they are installed in', () => {
    const namespaces = alerts.flatMap(({ expr }) => [...expr.matchAll(/\bnamespace="([^"]*)"/g)]);
    const [kustomization] = read('overlays/production/kustomization.yaml');
    expect(kustomization).toMatchObject({ namespace: namespaces[0]?.[1] });
    expect(new Set(namespaces.map(([, name]) => name)).size).toBe(1);
  });

  it('name the page that says more, by the heading of their section', () => {
    for (const { alert, annotations } of alerts)
      expect(annotations.runbook_url).toMatch(new RegExp(`/docs/operations\\.md#${alert.toLowerCase()}$`));
  });

  it('call as many workers too few as the autoscaler does', () => {
    const few = alerts.find(({ alert }) => alert === 'CdrIngestFewWorkers');
    const minReplicaCount = Number(/ < (\d+)$/.exec(few?.expr ?? '')?.[1]);
    expect(only(written(), 'ScaledObject', 'cdr-ingest')).toMatchObject({ spec: { minReplicaCount } });
  });

  it('use only reasons and codes that exist', () => {
    for (const { alert, expr, annotations } of alerts) {
      const values = (label: string) =>
        [...expr.matchAll(new RegExp(`\\b${label}=~?"([^"]*)"`, 'g'))].flatMap(([, list = '']) =>
          list.split('|'),
        );
      const named = [...annotations.runbook.matchAll(/--reason (\w+)/g)].map(([, reason = '']) => reason);
      expect([alert, [...values('reason'), ...named].filter((reason) => !isReason(reason))]).toEqual([
        alert,
        [],
      ]);
      expect([alert, values('code').filter((code) => !codes.some((each) => each === code))]).toEqual([
        alert,
        [],
      ]);
    }
  });

  it('are rules that promtool accepts', async () => {
    const file = join(directory, 'rules.yml');
    writeFileSync(file, JSON.stringify({ groups }));
    expect(await promtool(['check', 'rules', file])).toContain(`SUCCESS: ${alerts.length} rules found`);
  });

  it('are refused by promtool when they are wrong', async () => {
    const file = join(directory, 'wrong.yml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'g', rules: [{ alert: 'A', expr: 'rate(x' }] }] }));
    await expect(promtool(['check', 'rules', file])).rejects.toThrow('could not parse expression');
  });

  it.each([
    {
      what: 'a worker is paused, and holds calls for that reason',
      series: {
        'cdr_ingest_paused{queue="cdrs.create",pod="p"}': '0x5 1x95',
        'cdr_ingest_paused{queue="cdrs.dead",pod="p"}': '0x5 1x95',
        'cdr_ingest_waiting_messages{queue="cdrs.create",pod="p"}': '0x100',
        'cdr_ingest_in_flight_messages{pod="p"}': '500x100',
        'cdr_ingest_results_total{code="204",pod="p"}': '0+60x5 300x95',
      },
      silentAt: '5m',
      firingAt: '20m',
      fires: { CdrIngestPaused: [{ $value: '1' }], CdrIngestStuck: [] },
    },
    {
      what: 'one worker holds calls and answers none, beside others that work or wait for a held row',
      series: Object.fromEntries(
        [
          { pod: 'stuck', waiting: '0', results: '300' },
          { pod: 'working', waiting: '0', results: '300+60' },
          { pod: 'waiting', waiting: '500', results: '300' },
        ].flatMap(({ pod, waiting, results }) => [
          [`cdr_ingest_in_flight_messages{pod="${pod}"}`, '500x100'],
          [`cdr_ingest_waiting_messages{queue="cdrs.create",pod="${pod}"}`, `0x5 ${waiting}x95`],
          [`cdr_ingest_results_total{code="204",pod="${pod}"}`, `0+60x5 ${results}x95`],
        ]),
      ),
      silentAt: '5m',
      firingAt: '20m',
      fires: {
        CdrIngestStuck: [{ pod: 'stuck', $value: '500' }],
        CdrIngestRowsHeld: [{ $value: '500' }],
      },
    },
    {
      what: 'Prometheus sees no worker, whatever other namespaces have',
      series: {
        'cdr_ingest_paused{queue="cdrs.create",pod="p"}': '0x100',
        'cdr_ingest_paused{queue="cdrs.create",namespace="cdr-ingest",pod="q"}': '0x5 stale',
      },
      silentAt: '5m',
      firingAt: '20m',
      fires: { CdrIngestAbsent: [{ namespace: 'cdr-ingest' }] },
    },
    {
      what: 'one worker of two is gone, one cannot be reached, and one starts again and again',
      series: {
        'cdr_ingest_paused{queue="cdrs.create",pod="p"}': '0x100',
        'cdr_ingest_paused{queue="cdrs.create",pod="q"}': '0x5 stale',
        'up{job="n/cdr-ingest",pod="p"}': '1x100',
        'up{job="n/cdr-ingest",pod="q"}': '1x5 0x95',
        'process_start_time_seconds{job="n/cdr-ingest",pod="p"}': '0x5 60+60x95',
        'process_start_time_seconds{job="other/worker",pod="r"}': '0x5 60+60x95',
      },
      silentAt: '5m',
      firingAt: '20m',
      fires: {
        CdrIngestFewWorkers: [{ $value: '1' }],
        CdrIngestUnreachable: [{ job: 'n/cdr-ingest', pod: 'q', $value: '0%' }],
        CdrIngestRestarting: [{ pod: 'p', $value: '15' }],
      },
    },
    {
      what: 'a call is parked or in conflict, and was so before the only worker started',
      series: {
        'cdr_ingest_open_dead_letters{reason="failed",pod="p"}': '0x5 2x30 stale',
        'cdr_ingest_open_dead_letters{reason="failed",pod="q"}': '_x39 0 2x60',
        'cdr_ingest_open_dead_letters{reason="conflict",pod="p"}': '0x5 1x30 stale',
        'cdr_ingest_open_dead_letters{reason="conflict",pod="q"}': '_x39 0 1x60',
        'cdr_ingest_open_dead_letters{reason="rejected",pod="q"}': '5x100',
      },
      silentAt: '5m',
      firingAt: '40m',
      fires: {
        CdrIngestParkedCalls: [{ reason: 'failed', $value: '2' }],
        CdrIngestConflicts: [{ $value: '1' }],
      },
    },
    {
      what: 'more than one call in twenty is refused, but not for the only call of a quiet night',
      series: {
        'cdr_ingest_results_total{code="400",pod="p"}': '0x5 0+6x95',
        'cdr_ingest_results_total{code="204",pod="p"}': '0+54x100',
        'cdr_ingest_results_total{code="401",pod="p"}': '0x5 0+1x95',
        'cdr_ingest_results_total{code="400",namespace="quiet",pod="p"}': '0x20 1x80',
        'cdr_ingest_results_total{code="401",namespace="quiet",pod="p"}': '0x20 1x80',
      },
      silentAt: '5m',
      firingAt: '30m',
      fires: {
        CdrIngestRefusals: [{ $value: '9.836%' }],
        CdrIngestUnauthenticated: [{ $value: '15' }],
      },
    },
    {
      what: 'a worker loses the broker, even where another has not',
      series: {
        'cdr_ingest_connected{connection="consume",pod="p"}': '1x5 0x95',
        'cdr_ingest_connected{connection="consume",pod="q"}': '1x100',
        'cdr_ingest_connected{connection="results",pod="p"}': '1x100',
        'cdr_ingest_connected{connection="unknown direct reply",pod="p"}': '0x100',
        'cdr_ingest_consuming{queue="cdrs.create",pod="p"}': '1x5 0x95',
      },
      silentAt: '5m',
      firingAt: '20m',
      fires: {
        CdrIngestDisconnected: [{ connection: 'consume', $value: '1' }],
        CdrIngestNotConsuming: [{ queue: 'cdrs.create', $value: '1' }],
      },
    },
    {
      what: 'the broker refuses replies, or what calls were charged',
      series: {
        'cdr_ingest_reply_exchange_refused{exchange="default",pod="p"}': '0x5 1x95',
        'cdr_ingest_reply_exchange_refused{exchange="results",pod="p"}': '0x100',
        'cdr_ingest_billed_exchange_refused{pod="p"}': '0x5 1x95',
        'cdr_ingest_billed_exchange_refused{pod="q"}': '0x100',
      },
      silentAt: '5m',
      firingAt: '20m',
      fires: {
        CdrIngestRepliesRefused: [{ exchange: 'default' }],
        CdrIngestBilledExchangeRefused: [{}],
      },
    },
    {
      what: 'somebody sends a storm of hostile reply addresses',
      series: {
        'cdr_ingest_diverted_replies_total{why="closing",pod="p"}': '0x5 0+600x95',
        'cdr_ingest_diverted_replies_total{why="returned",pod="p"}': '0+600x100',
      },
      silentAt: '5m',
      firingAt: '20m',
      fires: { CdrIngestHostileReplyAddresses: [{}] },
    },
    {
      what: 'a worker could not write its log',
      series: { 'cdr_ingest_log_lines_dropped_total{pod="p"}': '0x5 30x95' },
      silentAt: '5m',
      firingAt: '10m',
      fires: { CdrIngestLogDropped: [{ pod: 'p', $value: '30' }] },
    },
    {
      what: 'a connection is lost over what arrived on it',
      series: { 'cdr_ingest_consumer_losses_total{cause="decoding",queue="cdrs.dead",pod="p"}': '0x5 1x95' },
      silentAt: '5m',
      firingAt: '10m',
      fires: { CdrIngestDecoding: [{ queue: 'cdrs.dead' }] },
    },
    {
      what: 'a feed or switch is silent for longer than its every, and only then',
      series: {
        'cdr_ingest_heard_timestamp_seconds{kind="feed",name="fs-1",pod="p"}': '0x100',
        'cdr_ingest_heard_timestamp_seconds{kind="feed",name="fs-1",pod="q"}': '0x100',
        'cdr_ingest_heard_timestamp_seconds{kind="feed",name="fs-2",pod="p"}': '0+60x100',
        'cdr_ingest_heard_timestamp_seconds{kind="user",name="switch-1",pod="p"}': '0x100',
        'cdr_ingest_heard_timestamp_seconds{kind="user",name="switch-2",pod="p"}': '0x100',
        'cdr_ingest_heard_expected_seconds{kind="feed",name="fs-1",pod="p"}': '900x100',
        'cdr_ingest_heard_expected_seconds{kind="feed",name="fs-1",pod="q"}': '900x100',
        'cdr_ingest_heard_expected_seconds{kind="feed",name="fs-2",pod="p"}': '900x100',
        'cdr_ingest_heard_expected_seconds{kind="user",name="switch-1",pod="p"}': '600x100',
        'cdr_ingest_paused{queue="cdrs.create",pod="p"}': '0x100',
      },
      silentAt: '10m',
      firingAt: '20m',
      fires: {
        CdrIngestSilent: [
          { kind: 'feed', name: 'fs-1', $value: '20m 0s' },
          { kind: 'user', name: 'switch-1', $value: '20m 0s' },
        ],
      },
    },
    {
      what: 'records are missing for a quarter of an hour, and when numbers do not count records',
      series: {
        'cdr_ingest_sequence_gaps{source="fs-1",pod="p"}': '0x5 1x95',
        'cdr_ingest_sequence_gaps{source="fs-1",pod="q"}': '0x5 1x95',
        'cdr_ingest_sequence_gaps{source="fs-2",pod="p"}': '1x5 0x95',
        'cdr_ingest_sequence_stopped{source="fs-2",pod="p"}': '0x20 1x80',
      },
      silentAt: '18m',
      firingAt: '30m',
      fires: {
        CdrIngestGaps: [{ source: 'fs-1', $value: '1' }],
        CdrIngestSequenceStopped: [{ source: 'fs-2' }],
      },
    },
    {
      what: 'dead letters grow fast: every worker reports the same ones, which count once',
      series: {
        'cdr_ingest_open_dead_letters{reason="rejected",pod="p"}': '10x60 10+100x40',
        'cdr_ingest_open_dead_letters{reason="rejected",pod="q"}': '10x60 10+100x40',
        'cdr_ingest_open_dead_letters{reason="conflict",pod="q"}': '_x60 0 5000x40',
        'cdr_ingest_open_dead_letters{reason="failed",pod="p"}': '0+10x100',
        'cdr_ingest_open_dead_letters{reason="failed",pod="q"}': '0+10x100',
      },
      silentAt: '30m',
      firingAt: '80m',
      fires: { CdrIngestDeadLettersGrow: [{ reason: 'rejected', $value: '1900' }] },
    },
    {
      what: 'there are as many dead letters as workers count, and growth can no longer be seen',
      series: { 'cdr_ingest_open_dead_letters{reason="rejected",pod="p"}': '100000x100' },
      silentAt: '4m',
      firingAt: '90m',
      fires: { CdrIngestDeadLettersGrow: [{ reason: 'rejected', $value: '100000' }] },
    },
    {
      what: 'a dead letter waits for more than a week',
      series: { 'cdr_ingest_oldest_open_dead_letter_seconds{reason="rejected",pod="p"}': '604000+60x100' },
      silentAt: '5m',
      firingAt: '90m',
      fires: { CdrIngestDeadLettersOld: [{ reason: 'rejected', $value: '7d 1h 16m 40s' }] },
    },
    {
      what: 'a call is on no invoice for more than a week',
      series: { 'cdr_ingest_oldest_uninvoiced_seconds{pod="p"}': '604000+60x100' },
      silentAt: '5m',
      firingAt: '90m',
      fires: { CdrIngestUninvoiced: [{ $value: '7d 1h 16m 40s' }] },
    },
    {
      what: 'messages wait in cdrs.dead, or many in cdrs.create',
      series: {
        'cdr_ingest_queue_messages{queue="cdrs.dead",pod="r"}': '0x5 500x95',
        'cdr_ingest_queue_messages{queue="cdrs.create",pod="r"}': '0x5 20000x95',
      },
      silentAt: '5m',
      firingAt: '20m',
      fires: {
        CdrIngestDeadQueue: [{ queue: 'cdrs.dead', $value: '500' }],
        CdrIngestBacklog: [{ $value: '20000' }],
      },
    },
    {
      what: 'a disk of the database or the broker fills',
      series: Object.fromEntries(
        ['cdr-postgresql-1', 'persistence-cdr-rabbitmq-server-0', 'somebody-else'].flatMap((claim) => [
          [`kubelet_volume_stats_available_bytes{persistentvolumeclaim="${claim}"}`, '50x5 10x95'],
          [`kubelet_volume_stats_capacity_bytes{persistentvolumeclaim="${claim}"}`, '100x100'],
        ]),
      ),
      silentAt: '5m',
      firingAt: '20m',
      fires: {
        CdrIngestDisk: [
          { persistentvolumeclaim: 'cdr-postgresql-1', $value: '10%' },
          { persistentvolumeclaim: 'persistence-cdr-rabbitmq-server-0', $value: '10%' },
        ],
      },
    },
  ])('fire when $what', async ({ series, silentAt, firingAt, fires }) => {
    const expected = Object.entries(fires as Record<string, Record<string, string>[]>);
    const tests = {
      rule_files: [join(directory, 'rules.yml')],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: Object.entries(series).map(([name, values]) => ({
            series: name.includes('namespace=') ? name : name.replace('{', '{namespace="n",'),
            values,
          })),
          alert_rule_test: expected.flatMap(([alertname, labels]) => [
            { eval_time: silentAt, alertname, exp_alerts: [] },
            { eval_time: firingAt, alertname, exp_alerts: labels.map((more) => firing(alertname, more)) },
          ]),
        },
      ],
    };
    const file = join(directory, 'tests.yml');
    writeFileSync(join(directory, 'rules.yml'), JSON.stringify({ groups }));
    writeFileSync(file, JSON.stringify(tests));
    expect(await promtool(['test', 'rules', file])).toContain('SUCCESS');
  });
});

/** An alert as promtool wants to see it: with its labels and with its texts, in which labels and `$value` are filled in. */
function firing(alertname: string, { $value = '', ...more }: Record<string, string>) {
  const rule = alerts.find(({ alert }) => alert === alertname);
  const filled = Object.entries(rule?.annotations ?? {}).map(([name, text]) => [
    name,
    text
      .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => more[label] ?? '')
      .replaceAll(/\{\{ \$value( \| \w+)? \}\}/g, $value),
  ]);
  return {
    exp_labels: { severity: rule?.labels.severity, namespace: 'n', ...more },
    exp_annotations: Object.fromEntries(filled),
  };
}

describe('the dashboard', () => {
  it.each(panels)('uses in "$title" only metrics that the worker exports', async ({ targets }) => {
    for (const { expr } of targets) expect(await unknownIn(expr)).toEqual([]);
  });

  it('answers four questions, each with a few panels', () => {
    const rows = dashboard
      .map(({ type }, index) => (type === 'row' ? index : -1))
      .filter((index) => index >= 0);
    expect(rows.map((index) => dashboard[index]?.title)).toEqual([
      'Is it working?',
      'Is it late?',
      'What is refused?',
      'What does it need?',
    ]);
    const sizes = [...rows, dashboard.length].slice(1).map((end, place) => end - (rows[place] ?? 0) - 1);
    expect(sizes.filter((size) => size < 3 || size > 5)).toEqual([]);
  });

  it('gives each panel a unique number and title', () => {
    expect(new Set(dashboard.map(({ id }) => id)).size).toBe(dashboard.length);
    expect(new Set(dashboard.map(({ title }) => title)).size).toBe(dashboard.length);
  });
});

describe('the metrics of a query', () => {
  it.each([
    ['sum by (le) (rate(a_bucket{x="b_total"}[5m])) > 0.5', ['a_bucket']],
    ['a_total / on (instance) group_left (pod) b unless absent(c)', ['a_total', 'b', 'c']],
    ['histogram_quantile(0.99, sum(rate(a:b[1h:5m])) without (pod))', ['a:b']],
    ['a - max by (x) (b offset 1h) > 1000', ['a', 'b']],
  ])('are found in %s', (query, names) => {
    expect(metricsOf(query)).toEqual(names);
  });
});
