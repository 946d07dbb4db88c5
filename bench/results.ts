import type { Abuse } from './abuse.ts';
import type { FeedRound } from './feed.ts';
import type { Garbage } from './garbage.ts';
import type { Latency } from './latency.ts';
import type { Measured } from './meter.ts';
import type { ReplayRates } from './replay.ts';
import type { Start } from './start.ts';

/** The parts that drain a queue or fill a database, in the order of the tables, and what tables and charts call them. */
export const drainTitles = {
  broker: 'broker alone',
  database: 'database alone',
  idiom: 'the usual idiom',
  worker: 'the worker',
} as const;

export type DrainPart = keyof typeof drainTitles;
export const drainParts = Object.keys(drainTitles) as DrainPart[];

/** Everything that one run found, every round by itself. */
export interface Results {
  at: string;
  isQuick: boolean;
  machine: { node: string; cores: number; loadBefore: number; loadAfter: number };
  /** CPU microseconds per message, by step. */
  node: Record<string, number[]>;
  drains: Record<DrainPart, Measured[]>;
  /** How the programs came up to their rate, one figure per round. */
  starts: { idiom: Start[]; worker: Start[] };
  /** Of the first minute of a program, by the rate offered, one figure per round. */
  firstMinute: LatencyByRate;
  /** Of a program that has run for a minute. */
  latency: LatencyByRate;
  /** Messages/s by "customers, workers"; each worker is held to a share of a core. */
  scaling: Record<string, number[]>;
  /** The database alone, by the number of calls stored. */
  growth: Record<string, Measured[]>;
  replays: ReplayRates[];
  /** Resident MiB of the worker on a backlog, four times a second. */
  memory: number[];
  /** Missing in runs from before it was measured. */
  garbage?: Garbage[];
  abuse: Abuse[];
  feed: FeedRound[];
  /** Share of the messages that are calls to be stored and charged. */
  chargedShare: number;
}

export interface LatencyByRate {
  worker: Record<string, Latency[]>;
  idiom: Record<string, Latency[]>;
}
