import { type Delivery, toDelivery } from '../broker/delivery.ts';
import type { BillingRules } from '../domain/charge.ts';
import type { Database } from '../store/database.ts';
import type { Found } from '../store/persist/look-up.ts';
import type { Sql } from '../store/sql.ts';

/** Calls that nobody made, for `warm-up.ts`, and a database that knows whom they are of. Nothing of them leaves the process. */

const CUSTOMERS = 20;
const CURRENCIES = ['USD', 'EUR', 'GBP'];
const TAXES = ['', '', 'VAT', '1,levy'];
const START = 1_760_000_000;

/** Every tenth is sent twice, every fiftieth is refused: the ways of these are compiled too. */
export function madeUpDelivery(number: number): Delivery {
  const call = number % 10 === 9 ? number - 1 : number;
  return toDelivery(
    {
      content: Buffer.from(JSON.stringify(parametersOf(call))),
      fields: {
        consumerTag: 'warm-up',
        deliveryTag: number + 1,
        redelivered: false,
        exchange: 'cdrs',
        routingKey: 'cdrs.create.warm-up',
      },
      properties: {
        contentType: 'application/json',
        contentEncoding: undefined,
        headers: {},
        deliveryMode: 2,
        priority: undefined,
        correlationId: String(number),
        replyTo: 'cdrs.reply.warm-up',
        expiration: undefined,
        messageId: undefined,
        timestamp: undefined,
        type: undefined,
        userId: undefined,
        appId: undefined,
        clusterId: undefined,
      },
    },
    0,
  );
}

function parametersOf(number: number) {
  const start = START + number;
  return {
    auth_username: 'warm-up',
    auth_password: 'warm-up',
    uniqueid: `${start}.${number}`,
    machine: `switch-${number % 4}`,
    start,
    end: start + (number % 1800),
    scustomer: number % 50 === 25 ? CUSTOMERS + 1 : 1 + (number % CUSTOMERS),
    dcustomer: 1 + ((number * 7) % CUSTOMERS),
    snumber: `3120555${1000 + number}`,
    cnumber: `4420755${10_000 + number}`,
    dnumber: `4420755${20_000 + number}`,
    callid: `${start}${number}@sip.example.net`,
    channel: `PJSIP/trunk-${number}`,
    cost: (((number * 7919) % 5_000_000) / 1e6).toFixed(6),
    currency: CURRENCIES[number % CURRENCIES.length],
    peer: 1 + (number % 2),
    taxes: TAXES[number % TAXES.length],
    update_balance: 1,
    update_invoices: 1,
  };
}

/** Answers lookups from memory, and every other statement as if all of it had been done. */
export function madeUpDatabase({ systemCurrency }: BillingRules): Pick<Database, 'sql' | 'transaction'> {
  const customers = Array.from({ length: CUSTOMERS }, (_, index) => index + 1);
  const currencyOf = (customer: number) => CURRENCIES[customer % CURRENCIES.length] ?? systemCurrency;
  const found: Found = {
    stored: [],
    currencies: JSON.stringify(
      [...new Set([systemCurrency, ...CURRENCIES])].map((code, index) => [code, `0.${9 - index}2`]),
    ),
    customers: customers.map((id) => [id, currencyOf(id)]),
    peers: [1, 2],
    taxes: [
      [1, 'VAT', '20', '0', null],
      [2, 'levy', '0', '0.05', null],
    ],
    invoices: customers.map((id) => [id, id, currencyOf(id), true, String(START - 1), String(2 * START)]),
  };
  const text = JSON.stringify(found);
  const sql: Sql = async <Row>({ name }: Parameters<Sql>[0]) =>
    (name.startsWith('persist.look-up') ? [{ found: text }] : [{ lost: [] }]) as Row[];
  return { sql, transaction: (work) => work(sql) };
}
