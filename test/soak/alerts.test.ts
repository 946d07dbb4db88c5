import { writeFileSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import type { PrometheusServer } from '../../dev/stack/prometheus.ts';
import { type Recording, toText } from '../k8s/alerting/recording.ts';
import { scenarios } from '../k8s/alerting/scenarios.ts';
import { kept, playedBack, type Result, simulated } from '../k8s/alerting/simulation.ts';
import { tableOf } from '../k8s/alerting/table.ts';
import { alerts, metricsOf } from '../k8s/queries.ts';
import { faults } from '../support/alert-faults.ts';

/** Faults that are made at the same time; most of each is waiting. */
const AT_ONCE = 3;
/** Workers look every 15 s and Prometheus every 30 s, so that an alert of the same fault may be a look or two apart. */
const APART_S = 120;
/** With this the recordings are kept; without it they are only compared with the kept ones. */
const KEEP = process.env.ALERT_RECORDINGS === 'keep';
/** Some of them, by name, separated by commas. */
const ONLY = process.env.ALERT_FAULTS?.split(',');

let prometheus: PrometheusServer | undefined;
afterAll(() => prometheus?.remove());

it('faults recorded anew raise the same alerts at the same times as those that are kept', async () => {
  const metrics = new Set(alerts.flatMap(({ expr }) => metricsOf(expr)).concat('process_start_time_seconds'));
  const recordings = new Map<string, Recording>();
  const names = Object.keys(faults).filter((name) => ONLY?.includes(name) ?? true);
  const failed: string[] = [];
  const work = async () => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      const recording = await faults[name]?.(metrics).catch(
        (error: unknown) => void failed.push(`${name}: ${error}`),
      );
      if (!recording) continue;
      recordings.set(name, recording);
      const file = new URL(`../fixtures/alerts/${name}.txt`, import.meta.url);
      if (KEEP) writeFileSync(file, toText(recording));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  expect(failed).toEqual([]);
  if (KEEP) return;
  const recorded = scenarios.filter(({ recording }) => recordings.has(recording));
  const anew = await resultsOf((name) => recordings.get(name) ?? new Map());
  console.log(tableOf(anew));
  const before = await resultsOf(kept);
  expect(anew.map(alertsOf)).toEqual(before.map(alertsOf));
  expect(apart(anew, before)).toEqual([]);

  async function resultsOf(recordingOf: (name: string) => Recording): Promise<Result[]> {
    prometheus = await playedBack(recorded, recordingOf);
    const results = await simulated(recorded, prometheus);
    await prometheus.remove();
    return results;
  }
});

const alertsOf = ({ scenario, raised }: Result) => [scenario.name, ...raised.map(({ alert }) => alert)];

/** What fires or clears at another time than before. */
function apart(anew: readonly Result[], before: readonly Result[]): string[] {
  return anew.flatMap(({ scenario, raised }, index) =>
    raised.flatMap(({ alert, spans }, place) => {
      const other = before[index]?.raised[place]?.spans ?? [];
      const isNear =
        Math.abs((spans[0]?.fromS ?? 0) - (other[0]?.fromS ?? 0)) <= APART_S &&
        Math.abs((spans.at(-1)?.toS ?? 0) - (other.at(-1)?.toS ?? 0)) <= APART_S;
      return isNear ? [] : [`${scenario.name}: ${alert} ${JSON.stringify({ spans, other })}`];
    }),
  );
}
