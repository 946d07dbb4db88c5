import { readFileSync } from 'node:fs';
import type { Feed } from '../src/sources/feed.ts';
import { readSources } from '../src/sources/load.ts';
import { accountOf, CUSTOMERS, type Message, type Workload } from './workload.ts';

const FIELDS = 227;
/** Of the preset. */
export const EVENT_EXCHANGE = 'cdrs.from.fs-ams-1';
export const EVENT_USER = 'switch-fs-ams-1';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const sample = JSON.parse(read('../test/sources/samples/01-freeswitch-mod_amqp-a-leg.json')) as Record<
  string,
  unknown
>;
/** As many channel variables as a busy dialplan leaves. */
const variables = Object.fromEntries(
  Array.from({ length: FIELDS - Object.keys(sample).length - 2 }, (_, index) => [
    `variable_rtp_${index}`,
    `${index}.5`,
  ]),
);

/** The preset for FreeSWITCH with prices, customers by their account codes, and the machines of the workload. */
export const EVENT_SOURCES = read('../sources/freeswitch-amqp.yaml')
  .replace('machines: [fs-ams-1]', 'machines: [sw-ams-1, sw-ams-2, sw-ams-3, sw-ams-4]')
  .replace(
    '    scustomer: variable_accountcode\n',
    `    scustomer: { from: variable_accountcode, lookup: account }
    cost: { from: variable_nibble_total_billed, decimal: {} }
    currency: variable_nibble_currency
`,
  );

/** The feed of `EVENT_SOURCES`. */
export function eventFeed(): Feed {
  const sources = readSources(EVENT_SOURCES);
  const [feed] = sources.kind === 'feeds' ? sources.feeds : [];
  if (feed === undefined) throw new Error('the preset with prices is no sources file');
  return feed;
}

/** As mod_nibblebill leaves it. */
const PRICE = { variable_nibble_total_billed: '0.125', variable_nibble_currency: 'EUR' };

/** An event of CHANNEL_HANGUP_COMPLETE with 227 fields, those that are given among them. */
export function eventOf(fields: Readonly<Record<string, string>> = {}): string {
  return JSON.stringify({ ...sample, ...variables, ...PRICE, ...fields });
}

/** The calls of a workload that are stored, as the contract has them and as FreeSWITCH sends them. */
export function bothWays({ messages, accepted }: Workload): { contract: Workload; events: Workload } {
  const seen = new Set<Message>();
  const contract = messages.filter((message) => {
    const isNew = !seen.has(message);
    seen.add(message);
    const { cost, scustomer } = JSON.parse(message.body.toString()) as { cost: string; scustomer: number };
    return isNew && cost !== 'twelve' && scustomer <= CUSTOMERS;
  });
  const of = (made: Message[]): Workload => ({ messages: made, accepted, refused: 0, duplicates: 0 });
  return { contract: of(contract), events: of(contract.map(asEvent)) };
}

function asEvent({ body, machine }: Message): Message {
  const call = JSON.parse(body.toString()) as Record<string, string | number>;
  const event = eventOf({
    'Unique-ID': String(call.uniqueid),
    'FreeSWITCH-Switchname': machine,
    variable_start_epoch: String(call.start),
    variable_end_epoch: String(call.end),
    variable_duration: String(call.totaltime),
    variable_billsec: String(call.talktime),
    variable_accountcode: accountOf(call.scustomer ?? ''),
    'Caller-Caller-ID-Number': String(call.snumber),
    variable_nibble_total_billed: String(call.cost),
    variable_nibble_currency: String(call.currency),
  });
  return { body: Buffer.from(event), machine, exchange: EVENT_EXCHANGE };
}
