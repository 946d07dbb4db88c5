/**
 * What mapping costs: µs of CPU for a FreeSWITCH event of 227 fields, beside JSON.parse of the same text. Needs no
 * services: `npx tsx bench/map.ts`.
 */
import { readFileSync } from 'node:fs';
import { readJson } from '../src/sources/json.ts';
import { readSources } from '../src/sources/load.ts';
import { mapRecord } from '../src/sources/map.ts';

const FIELDS = 227;
const ROUNDS = 15;
const RUNS = 2000;

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');

/** The sample of mod_amqp with as many channel variables as a busy dialplan leaves. */
function event(): string {
  const sample = JSON.parse(read('../test/sources/samples/01-freeswitch-mod_amqp-a-leg.json')) as Record<
    string,
    unknown
  >;
  const fields = { ...sample };
  for (let index = Object.keys(fields).length; index < FIELDS; index += 1)
    fields[`variable_sip_h_${index}`] = `sip:${index}@192.0.2.10:5060`;
  return JSON.stringify(fields);
}

/** Median CPU time of one run in µs. */
function microseconds(run: () => unknown): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage();
    for (let index = 0; index < RUNS; index += 1) run();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / RUNS;
  });
  return rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? Number.NaN;
}

const sources = readSources(read('../sources/freeswitch-amqp.yaml'));
const feed = sources.kind === 'feeds' ? sources.feeds[0] : undefined;
if (feed === undefined) throw new Error('the preset is no sources file');
const text = event();
/** As FreeSWITCH writes it: a header that stands twice, with the same value. */
const repeated = text.replace('"Channel-State"', '"Hangup-Cause":"NORMAL_CLEARING","Channel-State"');
const record = feed.read(text);
const parsed = { ...feed, read: () => record };
if (mapRecord(feed, repeated).kind !== 'call') throw new Error('expected a call');

console.log(`${text.length} bytes, ${FIELDS} fields; CPU µs per event, median of ${ROUNDS} rounds`);
for (const [what, run] of [
  ['JSON.parse', () => JSON.parse(text)],
  ['reading, every digit and name checked', () => readJson(text)],
  ['the same where a header stands twice', () => readJson(repeated)],
  ['mapping what was read', () => mapRecord(parsed, '')],
  ['reading and mapping', () => mapRecord(feed, text)],
] as const)
  console.log(`${microseconds(run).toFixed(1).padStart(8)}  ${what}`);
