import { readFileSync } from 'node:fs';
import type { HeapProfiler } from 'node:inspector';
import { SourceMap } from 'node:module';
import { isAbsolute, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bed } from './bed.ts';
import { type GarbageSize, type Watching, watchLoad, watchLoneBatches } from './garbage.ts';
import { table } from './report.ts';

type ProfileNode = HeapProfiler.SamplingHeapProfileNode;

/** Functions that a table shows. */
const SHOWN = 30;
const ROOT = fileURLToPath(new URL('..', import.meta.url));

const sampling: Watching<ProfileNode> = {
  begin: (worker) => worker.ask('sample'),
  end: async (worker) => (await worker.ask<HeapProfiler.SamplingHeapProfile>('sampled')).head,
};

/** The functions of the worker that allocate most, under load and where messages come one by one, as Markdown. */
export async function profileAllocation(
  bed: Bed,
  size: GarbageSize,
  progress: (line: string) => void,
): Promise<string> {
  progress('allocation under load');
  const load = await watchLoad(bed, size, 970, sampling);
  progress('allocation of batches of one');
  const lone = await watchLoneBatches(bed, size, 980, sampling);
  return [
    ...tablesOf('a message of a full batch', load.found, load.messages),
    ...tablesOf('a batch of one', lone.found, lone.batches),
  ].join('\n\n');
}

/** By function, and by function of src with what it calls in packages and in Node. What V8 has inlined counts for its caller. */
function tablesOf(unit: string, head: ProfileNode, units: number): string[] {
  const own = new Map<string, number>();
  const ofSource = new Map<string, number>();
  const add = (sums: Map<string, number>, name: string, bytes: number) =>
    sums.set(name, (sums.get(name) ?? 0) + bytes);
  const visit = ({ callFrame, selfSize, children }: ProfileNode, caller: string) => {
    const name = nameOf(callFrame);
    const source = name.includes(' src/') ? name : caller;
    add(own, name, selfSize);
    add(ofSource, source, selfSize);
    for (const child of children) visit(child, source);
  };
  visit(head, 'no function of src');
  return [
    tableOf(`bytes of ${unit}`, 'function', own, units),
    tableOf(`bytes of ${unit}`, 'function of src, with packages and Node below it', ofSource, units),
  ];
}

function tableOf(bytes: string, what: string, sums: ReadonlyMap<string, number>, units: number): string {
  const all = [...sums.values()].reduce((sum, size) => sum + size, 0);
  const row = (name: string, size: number) => [
    (size / units).toFixed(0),
    `${((100 * size) / all).toFixed(1)} %`,
    name,
  ];
  const largest = [...sums].sort(([, one], [, other]) => other - one).slice(0, SHOWN);
  return table([bytes, 'share', what], [row('all', all), ...largest.map(([name, size]) => row(name, size))]);
}

const maps = new Map<string, SourceMap | undefined>();

/** `function file:line`, where the function is in src or in a package. */
function nameOf({ functionName, url, lineNumber, columnNumber }: ProfileNode['callFrame']): string {
  const name = functionName || '(anonymous)';
  // Modules have a URL, what they require a path, and what is Node's own neither.
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  if (!isAbsolute(path)) return `${name} ${path}`.trim();
  const origin = mapOf(path)?.findEntry(lineNumber, columnNumber);
  if (origin === undefined || !('originalSource' in origin)) return `${name} ${relative(ROOT, path)}`;
  const source = relative(ROOT, fileURLToPath(new URL(origin.originalSource, url)));
  return `${name} ${source}:${origin.originalLine + 1}`;
}

function mapOf(path: string): SourceMap | undefined {
  if (!path.startsWith(`${ROOT}dist/`)) return undefined;
  if (!maps.has(path)) maps.set(path, new SourceMap(JSON.parse(readFileSync(`${path}.map`, 'utf8'))));
  return maps.get(path);
}
