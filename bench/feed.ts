import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mapRecord } from '../src/sources/map.ts';
import type { Bed } from './bed.ts';
import { drain } from './drain.ts';
import { bothWays, EVENT_SOURCES, eventFeed, eventOf } from './events.ts';
import { assertExact } from './exact.ts';
import type { Measured } from './meter.ts';
import { type Services, startWorkerProgram } from './programs.ts';
import { workload } from './workload.ts';

const MAP_RUNS = 20_000;

/** One round: the same calls as the contract has them and as FreeSWITCH sends them. */
export interface FeedRound {
  contract: Measured;
  events: Measured;
  /** CPU µs of reading an event, and of mapping what was read. */
  readingUs: number;
  mappingUs: number;
}

/** What a feed costs beside the contract: drains of the same calls in turn, and the map alone. */
export async function measureFeed(
  bed: Bed,
  { rounds, messages }: { rounds: number; messages: number },
  progress: (line: string) => void,
): Promise<FeedRound[]> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-feed-'));
  const file = join(directory, 'sources.yaml');
  writeFileSync(file, EVENT_SOURCES);
  const withFeed = (services: Services) => startWorkerProgram({ ...services, SOURCES_FILE: file });
  const found: FeedRound[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      const { contract, events } = bothWays(workload(messages, 500 + round));
      const exactly = (calls: typeof contract) => (database: { url: string }) =>
        assertExact(database.url, calls);
      progress(`feed, round ${round + 1} of ${rounds}: the contract's messages`);
      const ofContract = await drain(bed, contract, withFeed, exactly(contract));
      progress(`feed, round ${round + 1} of ${rounds}: events of 227 fields`);
      const ofEvents = await drain(bed, events, withFeed, exactly(events));
      found.push({ contract: ofContract, events: ofEvents, ...mapAlone() });
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return found;
}

function mapAlone(): Pick<FeedRound, 'readingUs' | 'mappingUs'> {
  const feed = eventFeed();
  const text = eventOf();
  const record = feed.read(text);
  const parsed = { ...feed, read: () => record };
  if (mapRecord(parsed, text).kind !== 'call') throw new Error('expected the event to become a call');
  return {
    readingUs: microseconds(() => feed.read(text)),
    mappingUs: microseconds(() => mapRecord(parsed, text)),
  };
}

function microseconds(run: () => unknown): number {
  for (let index = 0; index < MAP_RUNS / 10; index += 1) run();
  const before = process.cpuUsage();
  for (let index = 0; index < MAP_RUNS; index += 1) run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / MAP_RUNS;
}
