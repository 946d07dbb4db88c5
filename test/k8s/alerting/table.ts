import type { Result } from './simulation.ts';

/** What the scenarios raise, as docs/operations.md has it. */
export function tableOf(results: readonly Result[]): string {
  const rows = results.map(({ scenario, raised }) => {
    const lastsS = scenario.endS - scenario.beginS;
    const cells = raised.map(({ alert, spans }) => ({
      alert,
      after: shown(spans[0]?.fromS ?? 0),
      clears: shown((spans.at(-1)?.toS ?? 0) - lastsS),
      times: spans.length > 1 ? ` (${spans.length} times)` : '',
    }));
    const fires = cells.map(({ alert, after, times }) => `${alert} ${after}${times}`).join(', ') || 'nothing';
    const clears = cells.map(({ clears }) => clears).join(', ') || '–';
    return `| ${scenario.title} | ${fires} | ${clears} |`;
  });
  return ['| fault | fires after | clears after |', '| --- | --- | --- |', ...rows].join('\n');
}

/** Seconds as minutes, rounded up: workers and Prometheus look every so many seconds, not at the moment of the fault. */
function shown(seconds: number): string {
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Number((minutes / 60).toFixed(1))} h`;
}
