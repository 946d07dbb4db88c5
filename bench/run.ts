import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { type Bed, makeBed } from './bed.ts';
import { drain, measureDatabase } from './drain.ts';
import { assertExact } from './exact.ts';
import { type Latency, measureLatency } from './latency.ts';
import { measureNode } from './node.ts';
import { type Services, startBenchProgram, startWorkerProgram } from './programs.ts';
import { type Results, report } from './report.ts';
import { workload } from './workload.ts';

/**
 * `npm run bench -- [--quick] [--only node,A,B,C,D,E]`: every part in every round, one after the other, so that
 * what else the machine does falls on all of them alike. Results on stdout and in bench/results/latest.json.
 */
const PARTS = ['node', 'A', 'B', 'C', 'D', 'E'] as const;
type Part = (typeof PARTS)[number];

const RATES = [10, 200, 1000, 5000];
const IDIOM_RATES = [200];
const sizes = {
  full: { rounds: 5, messages: 60_000, idiom: 3000, seconds: 10 },
  quick: { rounds: 3, messages: 10_000, idiom: 400, seconds: 1.5 },
};

const { values } = parseArgs({ options: { quick: { type: 'boolean' }, only: { type: 'string' } } });
const isQuick = values.quick === true;
const size = sizes[isQuick ? 'quick' : 'full'];
const wanted = new Set<string>(values.only?.split(',') ?? PARTS);
for (const part of wanted) {
  if (!PARTS.some((known) => known === part))
    throw new Error(`--only: expected some of ${PARTS}, got "${part}"`);
}
const wants = (part: Part) => wanted.has(part);

const began = performance.now();
const progress = (line: string) => {
  process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);
};

// What ends with this process, ends on `exit`.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

// Always servers of its own: their CPU time is measured, and nobody else's data is near.
process.env.CDR_STACK = 'local';
const results: Results = {
  at: new Date().toISOString().slice(0, 16).replace('T', ' '),
  isQuick,
  machine: { node: process.versions.node, cores: availableParallelism(), loadBefore: load(), loadAfter: 0 },
  node: {},
  drains: { A: [], B: [], C: [], D: [] },
  latency: { worker: {}, idiom: {} },
  chargedShare: 0,
};

if (wants('node')) {
  progress('steps in Node');
  results.node = await measureNode();
}
if (PARTS.some((part) => part !== 'node' && wants(part))) {
  const bed = await makeBed(progress);
  try {
    for (let round = 0; round < size.rounds; round += 1) await runRound(bed, round);
  } finally {
    await bed.close();
  }
}
results.machine.loadAfter = load();
const folder = new URL('results/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('latest.json', folder), `${JSON.stringify(results, null, 2)}\n`);
process.stdout.write(`${report(results)}\n`);

async function runRound(bed: Bed, round: number): Promise<void> {
  const { drains, latency } = results;
  const say = (what: string) => progress(`round ${round + 1} of ${size.rounds}: ${what}`);
  const seed = (round + 1) * 100;
  const calls = workload(size.messages, seed);
  results.chargedShare = calls.accepted / calls.messages.length;
  if (wants('A')) {
    say('A, broker alone');
    drains.A.push(await drain(bed, calls, (services) => startBenchProgram('ceiling-broker.ts', services)));
  }
  if (wants('B')) {
    say('B, database alone');
    drains.B.push(await measureDatabase(bed, size.messages, seed));
  }
  if (wants('C')) {
    say('C, the usual idiom');
    drains.C.push(await drain(bed, workload(size.idiom, seed), startIdiom));
  }
  if (wants('D')) {
    say('D, the worker');
    const check = ({ url }: { url: string }) => assertExact(url, calls);
    drains.D.push(await drain(bed, calls, startWorkerProgram, check));
  }
  if (wants('E')) {
    say('E, latency of the worker');
    const worker = await measureLatency(bed, startWorkerProgram, RATES, size.seconds, seed + 10);
    append(latency.worker, worker);
    say('E, latency of the usual idiom');
    append(latency.idiom, await measureLatency(bed, startIdiom, IDIOM_RATES, size.seconds, seed + 20));
  }
}

function startIdiom(services: Services) {
  return startBenchProgram('idiom.ts', services);
}

function append(target: Record<string, Latency[]>, found: ReadonlyMap<number, Latency>): void {
  for (const [rate, latency] of found) target[rate] = [...(target[rate] ?? []), latency];
}

function load(): number {
  return loadavg()[0] ?? 0;
}
