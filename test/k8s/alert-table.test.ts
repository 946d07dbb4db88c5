import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PrometheusServer } from '../../dev/stack/prometheus.ts';
import { scenarios } from './alerting/scenarios.ts';
import { kept, lengthOf, playedBack, type Result, simulated } from './alerting/simulation.ts';
import { tableOf } from './alerting/table.ts';
import { alerts } from './queries.ts';

const PAGE = new URL('../../docs/operations.md', import.meta.url);
const TABLE = /\| fault \| fires after .*?\n(?=\n)/s;
/** With this the table of the page is written, not compared. */
const WRITES = process.env.ALERT_TABLE === 'write';

const critical = new Set(
  alerts.flatMap(({ alert, labels }) => (labels.severity === 'critical' ? [alert] : [])),
);

let prometheus: PrometheusServer;
let results: Result[];
beforeAll(async () => {
  prometheus = await playedBack(scenarios, kept);
  results = await simulated(scenarios, prometheus);
});
afterAll(() => prometheus?.remove());

describe('recorded faults, played back to the alert rules', () => {
  it('raise what docs/operations.md says, at the time that it says', () => {
    const table = `${tableOf(results)}\n`;
    console.log(table);
    const page = readFileSync(PAGE, 'utf8');
    if (WRITES) writeFileSync(PAGE, page.replace(TABLE, table));
    else expect(TABLE.exec(page)?.[0]).toBe(table);
  });

  it('raise a critical alert within five minutes where they are an outage', () => {
    const late = results.filter(({ scenario, raised }) => {
      const isTold = raised.some(({ alert, spans }) => critical.has(alert) && (spans[0]?.fromS ?? 0) <= 300);
      return scenario.kind === 'outage' && !isTold;
    });
    expect(late.map(({ scenario }) => scenario.name)).toEqual([]);
  });

  it('raise nothing where they are none', () => {
    const none = results.filter(({ scenario }) => scenario.kind === 'no fault');
    expect(none.map(({ scenario, raised }) => [scenario.name, raised])).toEqual([
      ['restart', []],
      ['quiet-night', []],
    ]);
  });

  it('raise nothing before they begin, and nothing that lasts', () => {
    const wrong = results.flatMap(({ scenario, raised }) =>
      raised
        .filter(({ spans }) => {
          const endS = lengthOf(scenario) - scenario.beginS;
          return spans.some(({ fromS, toS }) => fromS < 0 || toS >= endS);
        })
        .map(({ alert }) => `${scenario.name}: ${alert}`),
    );
    expect(wrong).toEqual([]);
  });
});
