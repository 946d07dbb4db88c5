import { readFileSync } from 'node:fs';
import { type PrometheusServer, startPrometheus } from '../../../dev/stack/prometheus.ts';
import { alerts } from '../queries.ts';
import { firings, type Span, united } from './firing.ts';
import { fromText, type Recording } from './recording.ts';
import { EVERY_S, type Scenario } from './scenarios.ts';
import { play } from './timeline.ts';

/** What an alert did in a scenario: when it fired, in seconds since the fault began. */
export interface Raised {
  alert: string;
  spans: Span[];
}

export interface Result {
  scenario: Scenario;
  raised: Raised[];
}

/** Any time will do, as long as Prometheus keeps its blocks of two hours apart from it. */
const BEGIN_S = Date.UTC(2026, 0, 1) / 1000;

/** The recording that is kept for a scenario. */
export function kept(name: string): Recording {
  return fromText(readFileSync(new URL(`../../fixtures/alerts/${name}.txt`, import.meta.url), 'utf8'));
}

/** Starts a Prometheus that has scraped every scenario, each in a namespace of its own. */
export async function playedBack(
  scenarios: readonly Scenario[],
  recordingOf: (name: string) => Recording,
): Promise<PrometheusServer> {
  const lines = scenarios.flatMap((scenario) => linesOf(scenario, recordingOf(scenario.recording)));
  const text = `${lines.join('\n')}\n# EOF\n`;
  return await startPrometheus({ targets: [], scrapeSeconds: 15, recorded: { text, everySeconds: EVERY_S } });
}

function linesOf({ name, workers }: Scenario, recording: Recording): string[] {
  return Object.entries(workers).flatMap(([pod, steps]) => {
    const labels = `namespace="${name}",pod="${pod}",job="${name}/cdr-ingest"`;
    return [...play(recording, steps, EVERY_S)].flatMap(([series, samples]) => {
      const [, metric, more] = /^([^{]+)(?:\{(.*)\})?$/.exec(series) ?? [];
      const full = `${metric}{${labels}${more === undefined ? '' : `,${more}`}}`;
      return samples.map(([atS, value]) => {
        const isTime = /_(timestamp|start_time)_seconds$/.test(metric ?? '');
        return `${full} ${isTime ? BEGIN_S + value : value} ${BEGIN_S + atS}`;
      });
    });
  });
}

/** Evaluates every rule over every scenario. */
export async function simulated(
  scenarios: readonly Scenario[],
  prometheus: Pick<PrometheusServer, 'range'>,
): Promise<Result[]> {
  const names = scenarios.map(({ name }) => name);
  const longestS = Math.max(...scenarios.map(lengthOf));
  const over = { fromS: BEGIN_S, toS: BEGIN_S + longestS, everyS: EVERY_S };
  const fired = await Promise.all(alerts.map((rule) => firings(rule, names, prometheus, over)));
  return scenarios.map((scenario) => ({
    scenario,
    raised: alerts.flatMap(({ alert }, index) => {
      const since = BEGIN_S + scenario.beginS;
      const spans = united(fired[index]?.get(scenario.name) ?? [])
        .filter(({ fromS }) => fromS < BEGIN_S + lengthOf(scenario))
        .map(({ fromS, toS }) => ({ fromS: fromS - since, toS: toS - since }));
      return spans.length === 0 ? [] : [{ alert, spans }];
    }),
  }));
}

/** How long a scenario is played. */
export function lengthOf({ workers }: Scenario): number {
  return Math.max(
    ...Object.values(workers).map((steps) => steps.reduce((sum, { seconds }) => sum + seconds, 0)),
  );
}
