import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { measureAbuse } from './abuse.ts';
import { profileAllocation } from './allocation.ts';
import { type Bed, makeBed } from './bed.ts';
import { billedTable, measureBilled } from './billed.ts';
import { drain, drainFromStart, measureDatabase } from './drain.ts';
import { assertExact } from './exact.ts';
import { measureFeed } from './feed.ts';
import { measureGarbage } from './garbage.ts';
import { measureGrowth } from './growth.ts';
import { type Latency, measureLatency, type Offer } from './latency.ts';
import { measureMemory } from './memory.ts';
import { measureNode } from './node.ts';
import { type Services, startBenchProgram, startWorkerProgram } from './programs.ts';
import { publish, publishAbuse, publishAllocation, publishFeed } from './publish.ts';
import { measurePublishing } from './publishing.ts';
import { measureReplay } from './replay.ts';
import { report } from './report.ts';
import type { LatencyByRate, Results } from './results.ts';
import { canHold, measureScaling, type Share } from './scaling.ts';
import { measureWorkarounds, workaroundTable } from './workarounds.ts';
import { HOT_SHARE, workload } from './workload.ts';

/**
 * `npm run bench -- [--quick] [--only broker,worker,…]`: every part in every round, one after the other, so that other
 * load on the machine affects all of them alike. Results go to stdout and to the files named in publish.ts.
 * `--only abuse` takes half an hour by itself: honest calls during one storm after the other. `--only feed` drains the
 * same calls as the contract has them and as FreeSWITCH sends them, `--only billed` with BILLED_EXCHANGE and without. `--only allocation` shows which functions leave the most garbage; `--only publishing` and `--only workarounds` show what unusual pieces of src/broker and of src/store/prisma.ts are worth.
 */
const PARTS = [
  'node',
  'broker',
  'database',
  'idiom',
  'worker',
  'latency',
  'scaling',
  'growth',
  'replay',
  'memory',
  'garbage',
] as const;
const KNOWN = [...PARTS, 'abuse', 'allocation', 'billed', 'feed', 'publishing', 'workarounds'] as const;
type Part = (typeof KNOWN)[number];

/** The rates offered to a program in its first minute; the idiom cannot do more than 400/s. */
const FIRST_RATES = { worker: [200, 1000], idiom: [200] } as const;
/** Offered after that to the worker that had the last of them. */
const LATER_RATES = [10, 5000];
/** The cases of `scaling`: share of the hot customer, share of a core per worker, numbers of workers. */
const SCALED: readonly { name: string; hot: number; share: Share; workers: readonly number[] }[] = [
  { name: 'one hot customer', hot: HOT_SHARE, share: 0.5, workers: [1, 2] },
  { name: 'no hot customer', hot: 0, share: 0.5, workers: [1, 2] },
  { name: 'one hot customer, a quarter of a core each', hot: HOT_SHARE, share: 0.25, workers: [1, 2] },
];
const sizes = {
  full: {
    rounds: 5,
    messages: 60_000,
    idiom: 3000,
    latency: { first: 60, later: 10 },
    held: 30_000,
    replays: 100_000,
    growth: { sizes: [0, 1e6, 3e6, 1e7], rounds: 5, messages: 15_000 },
    memory: { waiting: 1e6, seconds: 60 },
    garbage: { messages: 60_000, alone: 3000 },
    abuse: { warmSeconds: 3, beforeSeconds: 10, stormSeconds: 60 },
    billed: { rounds: 5, messages: 60_000 },
    feed: { rounds: 5, messages: 60_000 },
    workarounds: { 1: 5000, 500: 500 },
  },
  quick: {
    rounds: 3,
    messages: 10_000,
    idiom: 400,
    latency: { first: 4, later: 1 },
    held: 2500,
    replays: 3000,
    growth: { sizes: [0, 1e5], rounds: 3, messages: 4000 },
    memory: { waiting: 40_000, seconds: 5 },
    garbage: { messages: 20_000, alone: 1000 },
    abuse: { warmSeconds: 5, beforeSeconds: 10, stormSeconds: 10 },
    billed: { rounds: 1, messages: 10_000 },
    feed: { rounds: 3, messages: 15_000 },
    workarounds: { 1: 1000, 500: 60 },
  },
};

const { values } = parseArgs({ options: { quick: { type: 'boolean' }, only: { type: 'string' } } });
const isQuick = values.quick === true;
const size = sizes[isQuick ? 'quick' : 'full'];
const wanted = new Set<string>(values.only?.split(',') ?? PARTS);
const unknown = [...wanted].filter((part) => !KNOWN.some((known) => known === part));
if (unknown.length > 0) {
  process.stderr.write(`--only: expected some of ${KNOWN.join(', ')}, got ${unknown.join(', ')}\n`);
  process.exit(2);
}
const wants = (part: Part) => wanted.has(part);

const began = performance.now();
const progress = (line: string) => {
  process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);
};

// The programs and servers started here are ended on `exit`, which a signal alone does not raise.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

// Always private servers: their CPU time is measured, and no other data is at risk.
process.env.CDR_STACK = 'local';
const results: Results = {
  at: new Date().toISOString().slice(0, 16).replace('T', ' '),
  isQuick,
  machine: { node: process.versions.node, cores: availableParallelism(), loadBefore: load(), loadAfter: 0 },
  node: {},
  drains: { broker: [], database: [], idiom: [], worker: [] },
  starts: { idiom: [], worker: [] },
  firstMinute: { worker: {}, idiom: {} },
  latency: { worker: {}, idiom: {} },
  scaling: {},
  growth: {},
  replays: [],
  memory: [],
  garbage: [],
  abuse: [],
  feed: [],
  chargedShare: 0,
};

if (wants('node')) {
  progress('steps in Node');
  results.node = await measureNode();
}
if (KNOWN.some((part) => part !== 'node' && wants(part))) {
  const bed = await makeBed(progress);
  try {
    if (wants('scaling') && !canHold())
      progress('scaling is left out: holding a worker to half a core takes root and control groups');
    if (PARTS.some(wants)) {
      for (let round = 0; round < size.rounds; round += 1) await runRound(bed, round);
    }
    if (wants('allocation')) {
      const profile = await profileAllocation(bed, size.garbage, progress);
      if (!isQuick) publishAllocation(profile);
      process.stdout.write(`${profile}\n`);
    }
    if (wants('publishing')) Object.assign(results.node, await measurePublishing(bed));
    if (wants('abuse')) results.abuse = await measureAbuse(bed, size.abuse, progress);
    if (wants('billed'))
      process.stdout.write(`${billedTable(await measureBilled(bed, size.billed, progress))}\n`);
    if (wants('feed')) results.feed = await measureFeed(bed, size.feed, progress);
    if (wants('workarounds'))
      process.stdout.write(`${workaroundTable(await measureWorkarounds(bed, size.workarounds, progress))}\n`);
    if (wants('memory')) {
      const { waiting, seconds } = size.memory;
      results.memory = await measureMemory(bed, waiting, seconds, progress);
    }
    if (wants('growth')) {
      const { growth } = size;
      results.growth = await measureGrowth(bed, growth.sizes, growth.rounds, growth.messages, progress);
    }
  } finally {
    await bed.close();
  }
}
results.machine.loadAfter = load();
publish(results, isQuick || values.only !== undefined);
if (!isQuick && values.only === 'abuse') publishAbuse(results);
if (!isQuick && values.only === 'feed') publishFeed(results);
process.stdout.write(`${report(results)}\n`);

async function runRound(bed: Bed, round: number): Promise<void> {
  const { drains, starts } = results;
  const say = (what: string) => progress(`round ${round + 1} of ${size.rounds}: ${what}`);
  const seed = (round + 1) * 100;
  const calls = workload(size.messages, seed);
  results.chargedShare = calls.accepted / calls.messages.length;
  if (wants('broker')) {
    say('broker alone');
    drains.broker.push(
      await drain(bed, calls, (services) => startBenchProgram('ceiling-broker.ts', services)),
    );
  }
  if (wants('database')) {
    say('database alone');
    drains.database.push(await measureDatabase(bed, size.messages, seed));
  }
  if (wants('idiom')) {
    say('the usual idiom');
    const { steady, start } = await drainFromStart(bed, workload(size.idiom, seed), startIdiom);
    drains.idiom.push(steady);
    starts.idiom.push(start);
  }
  if (wants('worker')) {
    say('the worker');
    const check = ({ url }: { url: string }) => assertExact(url, calls);
    const { steady, start } = await drainFromStart(bed, calls, startWorkerProgram, check);
    drains.worker.push(steady);
    starts.worker.push(start);
  }
  if (wants('latency')) {
    await runLatency(bed, seed + 10, say);
  }
  if (wants('replay')) {
    say('replay of dead letters');
    results.replays.push(await measureReplay(bed, size.replays, seed + 40));
  }
  if (wants('garbage')) {
    say('what a message leaves behind');
    results.garbage?.push(await measureGarbage(bed, size.garbage, seed + 50));
  }
  if (wants('scaling') && canHold()) await runScaling(seed + 30, say, bed);
}

/** Each rate of the first minute has a program that has just started. */
async function runLatency(bed: Bed, seed: number, say: (what: string) => void): Promise<void> {
  const { first, later } = size.latency;
  const after = LATER_RATES.map((rate) => ({ rate, seconds: later }));
  for (const rate of FIRST_RATES.worker) {
    say(`latency of the worker, first ${rate}/s`);
    const isLast = rate === FIRST_RATES.worker.at(-1);
    const offers = [{ rate, seconds: first }, ...(isLast ? after : [])];
    keep('worker', offers, await measureLatency(bed, startWorkerProgram, offers, seed));
  }
  for (const rate of FIRST_RATES.idiom) {
    say(`latency of the usual idiom, first ${rate}/s`);
    const offers = [{ rate, seconds: first }];
    keep('idiom', offers, await measureLatency(bed, startIdiom, offers, seed));
  }
}

function keep(who: keyof LatencyByRate, offers: readonly Offer[], found: readonly Latency[]): void {
  for (const [index, { rate }] of offers.entries()) {
    const latency = found[index];
    const rounds = results[index === 0 ? 'firstMinute' : 'latency'][who];
    if (latency !== undefined) rounds[rate] = [...(rounds[rate] ?? []), latency];
  }
}

async function runScaling(seed: number, say: (what: string) => void, bed: Bed): Promise<void> {
  for (const { name, hot, share, workers } of SCALED) {
    for (const many of workers) {
      // Each worker gets the same number: one that has just started needs more CPU per message.
      const calls = workload(size.held * many, seed, hot);
      say(`scaling, ${many} × ${share} core, ${name}`);
      const rates = results.scaling[`${name}, ${many}`] ?? [];
      results.scaling[`${name}, ${many}`] = [...rates, await measureScaling(bed, many, share, calls)];
    }
  }
}

function startIdiom(services: Services) {
  return startBenchProgram('idiom.ts', services);
}

function load(): number {
  return loadavg()[0] ?? 0;
}
