import { SCALE } from '../src/domain/money.ts';

/** One message as a switch would send it. */
export interface Message {
  body: Buffer;
  machine: string;
  /** That of a feed; without it the contract's. */
  exchange?: string;
}

export interface Workload {
  messages: Message[];
  /** How many messages must be stored, refused and recognized as duplicates. */
  accepted: number;
  refused: number;
  duplicates: number;
}

export const sender = { username: 'bench-switch', password: 'a password of ordinary length' };
export const operator = { username: 'operator', password: 'bench-operator-password' };
export const currencies = { USD: '1', EUR: '0.92', GBP: '0.79' } as const;
export const taxes = [
  { id: 1, name: 'VAT', rate: '20', flat: '0' },
  { id: 2, name: 'levy', rate: '0', flat: '0.05' },
] as const;
export const CUSTOMERS = 1000;
/** Customer 1 makes this share of all calls, so that every batch needs its row. */
export const HOT_SHARE = 0.3;
const DUPLICATE_SHARE = 0.2;
const REFUSED_SHARE = 0.02;
/** How many messages back a duplicate may lie: in the same batch, or in one persisted long before. */
const DUPLICATE_REACH = 5000;
/** Every call starts within ten days of this; every customer's open invoice covers them. */
const EPOCH = 1_760_000_000;

const codes = Object.keys(currencies);
const currencyOf = (id: number) => codes[id % codes.length] ?? 'USD';

/** The billing system of the benchmark, as rows. */
export const customers = Array.from({ length: CUSTOMERS }, (_, index) => ({
  id: index + 1,
  currency: currencyOf(index),
  invoice: 100_000 + index,
}));

/** The account code by which a feed knows a customer. */
export const accountOf = (customer: number | string) => `account-${customer}`;

/** The same as SQL, for an empty database. */
export function referenceStatements(): string[] {
  const rates = Object.entries(currencies).map(([code, rate]) => `('${code}', ${rate})`);
  const people = customers.map(({ id, currency }) => `(${id}, 'customer ${id}', '${currency}')`);
  const period = `to_timestamp(${EPOCH - 86_400}), to_timestamp(${EPOCH + 30 * 86_400})`;
  const invoices = customers.map(
    ({ id, invoice, currency }) => `(${invoice}, ${id}, '${currency}', ${period})`,
  );
  return [
    `insert into currencies (code, rate) values ${rates}`,
    `insert into customers (id, name, currency) values ${people}`,
    `insert into taxes (id, name, rate, flat) values ${taxes.map((tax) => `(${tax.id}, '${tax.name}', ${tax.rate}, ${tax.flat})`)}`,
    `insert into customer_keys (kind, key, customer) values ${customers.map(({ id }) => `('account', '${accountOf(id)}', ${id})`)}`,
    `insert into peers (id, name) values (1, 'carrier-a'), (2, 'carrier-b')`,
    `insert into invoices (id, customer, currency, period_start, period_end) values ${invoices}`,
  ];
}

/**
 * The same messages for the same seed; the uniqueids of two seeds differ.
 *
 * @param hotShare share of the calls that are one customer's
 */
export function workload(count: number, seed: number, hotShare = HOT_SHARE): Workload {
  const random = mulberry32(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const made: Workload = { messages: [], accepted: 0, refused: 0, duplicates: 0 };
  const stored: Message[] = [];
  for (let number = 0; number < count; number += 1) {
    const kind = random();
    const before = stored[stored.length - 1 - below(Math.min(DUPLICATE_REACH, stored.length))];
    if (kind < DUPLICATE_SHARE && before !== undefined) {
      made.messages.push(before);
      made.duplicates += 1;
    } else if (kind > 1 - REFUSED_SHARE) {
      // Half fail the contract, half name a customer that does not exist.
      const fault = below(2) === 0 ? { cost: 'twelve' } : { scustomer: CUSTOMERS + 1 + below(1000) };
      made.messages.push(encode({ ...call(`${seed}.${number}`, random, hotShare), ...fault }));
      made.refused += 1;
    } else {
      const message = encode(call(`${seed}.${number}`, random, hotShare));
      stored.push(message);
      made.messages.push(message);
      made.accepted += 1;
    }
  }
  return made;
}

function call(id: string, random: () => number, hotShare: number) {
  const below = (limit: number) => Math.floor(random() * limit);
  const scustomer = random() < hotShare ? 1 : 2 + below(CUSTOMERS - 1);
  const start = EPOCH + below(10 * 86_400);
  const seconds = below(1800);
  return {
    auth_username: sender.username,
    auth_password: sender.password,
    uniqueid: `${start}.${id}`,
    machine: `sw-ams-${1 + below(4)}`,
    start,
    end: start + seconds + 9,
    scustomer,
    dcustomer: 1 + below(CUSTOMERS),
    stype: 'extension',
    snumber: `3120555${1000 + below(9000)}`,
    spresent: 0,
    sname: 'Reception, first floor',
    ctype: 'external',
    cnumber: `4420755${10_000 + below(90_000)}`,
    dtype: 'external',
    dnumber: `4420755${10_000 + below(90_000)}`,
    callid: `${start}${below(1e9)}@sip.example.net`,
    channel: `PJSIP/trunk-${1 + below(8)}-0000${below(10_000)}`,
    cost: (below(5_000_000) / 1e6).toFixed(SCALE),
    currency: codes[below(codes.length)],
    ingroup_time: 0,
    outgroup_time: 0,
    media: 'voice',
    messages: 0,
    note: 'taken by the night desk',
    peer: 1 + below(2),
    recording: `/var/spool/recordings/${start}-${below(1e6)}.wav`,
    status: 'answer',
    talktime: seconds,
    taxes: below(3) === 0 ? (below(2) === 0 ? 'VAT' : '1,levy') : '',
    time: 0,
    totaltime: seconds + 9,
    update_balance: 1,
    update_invoices: 1,
  };
}

function encode(fields: ReturnType<typeof call>): Message {
  return { body: Buffer.from(JSON.stringify(fields)), machine: fields.machine };
}

/** A small generator whose sequence is the same everywhere. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
