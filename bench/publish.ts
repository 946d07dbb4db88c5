import { readFileSync, writeFileSync } from 'node:fs';
import { chartsOf } from './charts.ts';
import { type Results, report } from './report.ts';

const path = (name: string) => new URL(`../${name}`, import.meta.url);
const DOCUMENT = path('docs/performance.md');
/** What stands between these lines of the document is a run's. */
const BEGIN = '<!-- the last full run -->\n';
const END = '\n<!-- end of the run -->';

/** Every round of a run as JSON, and its charts. A full one is what docs/performance.md shows. */
export function publish(results: Results, isPartial: boolean): void {
  const rounds = `${JSON.stringify(results, null, 2)}\n`;
  if (isPartial) {
    writeFileSync(path('bench/results/partial.json'), rounds);
    writeFileSync(path('bench/results/partial.svg'), chartsOf(results));
    return;
  }
  writeFileSync(path('bench/results/full.json'), rounds);
  writeFileSync(path('docs/images/performance.svg'), chartsOf(results));
  const text = readFileSync(DOCUMENT, 'utf8');
  const begin = text.indexOf(BEGIN) + BEGIN.length;
  const end = text.indexOf(END);
  writeFileSync(DOCUMENT, `${text.slice(0, begin)}${report(results)}${text.slice(end)}`);
}
