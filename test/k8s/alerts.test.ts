import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { promtool } from '../../dev/stack/prometheus.ts';
import { codes, parkedReasons } from '../../src/domain/outcome.ts';
import { isReason } from '../../src/domain/record.ts';
import { alerts, exported, groups, metricsOf, panels } from './queries.ts';

const directory = mkdtempSync(join(tmpdir(), 'cdr-ingest-rules-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What others export: RabbitMQ's prometheus plugin, page by page of its documentation, and the kubelet. */
const FOREIGN = [
  'rabbitmq_detailed_queue_messages_ready',
  'kubelet_volume_stats_available_bytes',
  'kubelet_volume_stats_capacity_bytes',
];

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
      what: 'a worker is paused, and when one holds calls and answers none',
      series: {
        'cdr_ingest_paused{queue="cdrs.create",pod="p"}': '0x5 1x95',
        'cdr_ingest_in_flight_messages{pod="p"}': '500x100',
        'cdr_ingest_results_total{code="204",pod="p"}': '0+60x5 300x95',
      },
      silentAt: '5m',
      firingAt: '20m',
      fires: { CdrIngestPaused: [{}], CdrIngestStuck: [{}] },
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
        CdrIngestDisconnected: [{ connection: 'consume' }],
        CdrIngestNotConsuming: [{ queue: 'cdrs.create' }],
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
          { kind: 'feed', name: 'fs-1' },
          { kind: 'user', name: 'switch-1' },
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
        CdrIngestGaps: [{ source: 'fs-1' }],
        CdrIngestSequenceStopped: [{ source: 'fs-2' }],
      },
    },
    {
      what: 'dead letters grow fast: every worker reports the same ones, which count once',
      series: {
        'cdr_ingest_open_dead_letters{reason="rejected",pod="p"}': '10x30 10+100x70',
        'cdr_ingest_open_dead_letters{reason="rejected",pod="q"}': '10x30 10+100x70',
        'cdr_ingest_open_dead_letters{reason="failed",pod="p"}': '0+10x100',
        'cdr_ingest_open_dead_letters{reason="failed",pod="q"}': '0+10x100',
      },
      silentAt: '30m',
      firingAt: '80m',
      fires: { CdrIngestDeadLettersGrow: [{ reason: 'rejected' }] },
    },
    {
      what: 'a dead letter waits for more than a week',
      series: { 'cdr_ingest_oldest_open_dead_letter_seconds{pod="p"}': '604000+60x100' },
      silentAt: '5m',
      firingAt: '90m',
      fires: { CdrIngestDeadLettersOld: [{}] },
    },
    {
      what: 'a call is on no invoice for more than a week',
      series: { 'cdr_ingest_oldest_uninvoiced_seconds{pod="p"}': '604000+60x100' },
      silentAt: '5m',
      firingAt: '90m',
      fires: { CdrIngestUninvoiced: [{}] },
    },
    {
      what: 'messages wait in cdrs.dead',
      series: {
        'rabbitmq_detailed_queue_messages_ready{queue="cdrs.dead",pod="r"}': '0x5 500x95',
        'rabbitmq_detailed_queue_messages_ready{queue="cdrs.create",pod="r"}': '5000x100',
      },
      silentAt: '5m',
      firingAt: '20m',
      fires: { CdrIngestDeadQueue: [{ queue: 'cdrs.dead' }] },
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
          { persistentvolumeclaim: 'cdr-postgresql-1' },
          { persistentvolumeclaim: 'persistence-cdr-rabbitmq-server-0' },
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
            series: name.replace('{', '{namespace="n",'),
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

/** An alert as promtool wants to see it: with its labels and with its texts filled in. */
function firing(alertname: string, more: Record<string, string>) {
  const rule = alerts.find(({ alert }) => alert === alertname);
  const filled = Object.entries(rule?.annotations ?? {}).map(([name, text]) => [
    name,
    text.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => more[label] ?? ''),
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

  it('gives each panel a unique number and title', () => {
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
