import { setTimeout as sleep } from 'node:timers/promises';
import { type Channel, connect, type Options } from 'amqplib';
import { Client } from 'pg';
import { defaultNames } from '../src/broker/topology.ts';
import { nested, type RawPublisher, rawPublisher } from '../test/support/raw-amqp.ts';
import { sender } from './workload.ts';

/** What a storm can reach: the broker as a producer, the database as another program, the worker's HTTP port. */
export interface Target {
  channel: Channel;
  /** Publishes bytes that a client library would not send. */
  raw: RawPublisher;
  databaseUrl: string;
  workerUrl: string;
}

/** The customer whose row is locked or vetoed. No honest call belongs to it. */
export const HELD_CUSTOMER = 5000;

/** A hostile or careless program that runs beside honest calls, until its process is ended. */
export interface Storm {
  name: string;
  /** How the honest switch receives its replies. */
  replies: 'queue' | 'direct';
  rage: (target: Target) => Promise<void>;
}

const { exchange } = defaultNames;
const KEY = 'cdrs.create';
const NUL = 'a\0b';
const JSON_TYPE = { contentType: 'application/json' };
const FORM_TYPE = { contentType: 'application/x-www-form-urlencoded' };
const garbage = Buffer.from('garbage');

/** Calls `one` so many times a second for as long as the process lives. */
async function every(perSecond: number, one: (turn: number) => unknown): Promise<void> {
  const began = performance.now();
  for (let turn = 0; ; turn += 1) {
    const wait = began + (turn * 1000) / perSecond - performance.now();
    if (wait > 0) await sleep(wait);
    await one(turn);
  }
}

const send = ({ channel }: Target, body: Buffer, options: Options.Publish, key = KEY) =>
  channel.publish(exchange, key, body, options);

function call(turn: number, fields: object): Buffer {
  return Buffer.from(
    JSON.stringify({
      auth_username: sender.username,
      auth_password: sender.password,
      uniqueid: `storm.${process.pid}.${turn}`,
      machine: 'storm',
      start: 1_760_000_000,
      scustomer: 2,
      ...fields,
    }),
  );
}

const heldCall = (target: Target) =>
  every(1, (turn) => send(target, call(turn, { scustomer: HELD_CUSTOMER, cost: '1' }), JSON_TYPE));

/** Leaves a transaction of another program open. */
async function leaveOpen(databaseUrl: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('begin');
  await client.query(statement);
}

async function refuseUpdates(databaseUrl: string, table: string, column: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(
    `create function veto() returns trigger language plpgsql as $$ begin return null; end $$`,
  );
  await client.query(
    `create trigger veto before update on ${table} for each row when (old.${column} = ${HELD_CUSTOMER}) execute function veto()`,
  );
}

async function crowd(url: string, connections: number): Promise<void> {
  const one = async () => {
    for (;;)
      await fetch(url).then(
        (answer) => answer.arrayBuffer(),
        () => sleep(10),
      );
  };
  await Promise.all(Array.from({ length: connections }, one));
}

const big = (bytes: number, fill: number) => Buffer.alloc(bytes, fill);
const manyNames = Buffer.from(Array.from({ length: 37_000 }, (_, index) => `n${index}=1`).join('&'));
const largeHeaders = { headers: { junk: 'x'.repeat(60_000) } };

export const storms: readonly Storm[] = [
  {
    name: 'NUL in every property, 5/s',
    replies: 'queue',
    rage: (target) =>
      every(5, (turn) =>
        send(
          target,
          garbage,
          { correlationId: NUL, messageId: NUL, replyTo: NUL, contentType: NUL },
          turn % 2 === 0 ? KEY : `${KEY}.${NUL}`,
        ),
      ),
  },
  {
    name: 'headers nested 5,000 deep, 1/s to each queue',
    replies: 'queue',
    rage: ({ raw }) =>
      every(2, (turn) =>
        raw.publish([
          {
            routingKey: Buffer.from(turn % 2 === 0 ? KEY : 'nowhere'),
            body: garbage,
            properties: { headers: nested(5000, turn % 4 < 2 ? 'table' : 'array') },
          },
        ]),
      ),
  },
  {
    name: 'a customer’s row held by another program',
    replies: 'queue',
    rage: async (target) => {
      await leaveOpen(target.databaseUrl, `update customers set name = name where id = ${HELD_CUSTOMER}`);
      await heldCall(target);
    },
  },
  {
    name: 'an invoice’s row held by another program',
    replies: 'queue',
    rage: async (target) => {
      await leaveOpen(
        target.databaseUrl,
        `update invoices set status = status where customer = ${HELD_CUSTOMER}`,
      );
      await heldCall(target);
    },
  },
  {
    name: 'a trigger that vetoes one customer',
    replies: 'queue',
    rage: async (target) => {
      await refuseUpdates(target.databaseUrl, 'customers', 'id');
      await heldCall(target);
    },
  },
  {
    name: 'a trigger that vetoes one invoice',
    replies: 'queue',
    rage: async (target) => {
      await refuseUpdates(target.databaseUrl, 'invoices', 'customer');
      await heldCall(target);
    },
  },
  {
    name: 'wrong credentials, invented names, 300/s',
    replies: 'queue',
    rage: (target) =>
      every(300, (turn) =>
        send(target, call(turn, { auth_username: `nobody-${turn}`, auth_password: 'guess' }), JSON_TYPE),
      ),
  },
  {
    name: 'wrong passwords for the honest switch, 300/s',
    replies: 'queue',
    rage: (target) =>
      every(300, (turn) => send(target, call(turn, { auth_password: `guess-${turn}` }), JSON_TYPE)),
  },
  {
    name: 'bodies of 256 KiB of \\x01, 25/s',
    replies: 'queue',
    rage: (target) => every(25, () => send(target, big(262_144, 1), JSON_TYPE)),
  },
  {
    name: 'bodies of 64 KiB of \\xff, 50/s',
    replies: 'queue',
    rage: (target) => every(50, () => send(target, big(65_536, 255), JSON_TYPE)),
  },
  {
    name: 'bodies of 16 MiB, 1/s',
    replies: 'queue',
    rage: (target) => every(1, () => send(target, big(16 * 1024 * 1024, 65), JSON_TYPE)),
  },
  {
    name: 'headers of 60 kB with wrong credentials, 50/s',
    replies: 'queue',
    rage: (target) =>
      every(50, (turn) =>
        send(target, call(turn, { auth_username: `nobody-${turn}` }), { ...JSON_TYPE, ...largeHeaders }),
      ),
  },
  {
    name: 'malformed direct reply_to, 1/s, beside honest direct replies',
    replies: 'direct',
    rage: (target) =>
      every(1, (turn) =>
        send(target, call(turn, { cost: '1' }), {
          ...JSON_TYPE,
          replyTo: 'amq.rabbitmq.reply-to.g1h2AAAA.not==',
        }),
      ),
  },
  {
    name: 'forms of 37,000 names, 5/s',
    replies: 'queue',
    rage: (target) => every(5, () => send(target, manyNames, FORM_TYPE)),
  },
  {
    name: 'calls that have expired, 50/s',
    replies: 'queue',
    rage: (target) =>
      every(50, (turn) => send(target, call(turn, { cost: '1' }), { ...JSON_TYPE, expiration: '0' })),
  },
  {
    name: 'wrong routing keys, 50/s',
    replies: 'queue',
    rage: (target) => every(50, (turn) => send(target, call(turn, {}), JSON_TYPE, `cdr.create.${turn}`)),
  },
  {
    name: 'garbage, each different, 300/s',
    replies: 'queue',
    rage: (target) =>
      every(300, (turn) => send(target, Buffer.from(`garbage ${process.pid}.${turn}`), JSON_TYPE)),
  },
  {
    name: '200 connections to /readyz',
    replies: 'queue',
    rage: ({ workerUrl }) => crowd(`${workerUrl}/readyz`, 200),
  },
  {
    name: '200 connections to /metrics',
    replies: 'queue',
    rage: ({ workerUrl }) => crowd(`${workerUrl}/metrics`, 200),
  },
];

/** Runs a storm until the process is ended. */
export async function startStorm(
  storm: Storm,
  where: Omit<Target, 'channel' | 'raw'>,
  amqpUrl: string,
): Promise<void> {
  const connection = await connect(amqpUrl);
  const [channel, raw] = await Promise.all([connection.createChannel(), rawPublisher(amqpUrl)]);
  await storm.rage({ ...where, channel, raw });
}
