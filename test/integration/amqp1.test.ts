import { connect } from 'amqplib';
import {
  type Connection,
  create_container,
  type Message,
  message,
  type Receiver,
  type Sender,
  types,
} from 'rhea';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashPassword } from '../../src/auth/password.ts';
import { keepsOwnDeaths } from '../../src/broker/delivery.ts';
import { upsertUser } from '../../src/store/users.ts';
import { until } from '../support/broker.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { testStack } from '../support/stack.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

const QUEUE = 'cdrs.reply.amqp 1/ü';
const ADDRESS = `/queues/${encodeURIComponent(QUEUE)}`;
const [CORRELATION, UUID] = [
  Buffer.from([0xff, 0, 1]),
  Buffer.from('00112233445566778899aabbccddeeff', 'hex'),
];

/** A reply as an AMQP 1.0 client sees it. */
interface Reply {
  body: { content: Buffer };
  correlation_id?: unknown;
  application_properties?: Record<string, unknown>;
  message_annotations?: Record<string, unknown>;
}

let db: BillingDatabase;
let worker: WorkerProcess;
let connection: Connection;
let sender: Sender;
const replies: Reply[] = [];

async function brokerVersion(): Promise<string> {
  const model = await connect((await testStack()).amqpUrl);
  const { version } = model.connection.serverProperties;
  await model.close();
  return version;
}

/** RabbitMQ 3 speaks it by a plugin only, which is not enabled here. */
const isNative = keepsOwnDeaths(await brokerVersion());

async function openAmqp1(url: string): Promise<void> {
  const { hostname, port, username, password, pathname } = new URL(url);
  connection = create_container().connect({
    ...{ host: hostname, port: Number(port), username, password, reconnect: false },
    hostname: `vhost:${decodeURIComponent(pathname.slice(1))}`,
  });
  const receiver: Receiver = connection.open_receiver(ADDRESS);
  receiver.on('message', ({ message: reply }) => replies.push(reply as unknown as Reply));
  sender = connection.open_sender('/exchanges/cdrs/cdrs.create');
  await Promise.all([sendable(sender), new Promise((resolve) => receiver.once('receiver_open', resolve))]);
}

function sendable(link: Sender): Promise<void> {
  return new Promise((resolve) => void link.once('sendable', () => resolve()));
}

beforeAll(async () => {
  if (!isNative) return;
  db = await billingDatabase('amqp1');
  await upsertUser(db.sql, {
    username: 'switch',
    role: 'system',
    passwordHash: await hashPassword('right-canary'),
  });
  worker = await startProcess(['worker'], {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    HTTP_PORT: '0',
  });
  await worker.logged('"state":"consuming"');
  const model = await connect(db.amqpUrl);
  await (await model.createChannel()).assertQueue(QUEUE, { durable: true });
  await model.close();
  await openAmqp1(db.amqpUrl);
});

afterAll(async () => {
  connection?.close();
  await worker?.stop();
  await db?.drop();
});

const call = (uniqueid: string) =>
  JSON.stringify({
    ...{ auth_username: 'switch', auth_password: 'right-canary', uniqueid },
    ...{ machine: 'm', start: 1_700_000_000, scustomer: 1 },
  });

/** The reply to one message. */
async function replyTo(sent: Message): Promise<Reply> {
  const before = replies.length;
  sender.send({ reply_to: ADDRESS, content_type: 'application/json', durable: true, ...sent });
  await until(() => replies.length > before);
  const reply = replies[before];
  if (reply === undefined) throw new Error('expected a reply');
  return reply;
}

const responseIn = ({ body }: Reply) =>
  (JSON.parse(body.content.toString()) as { responses: object[] }).responses[0];

describe.skipIf(!isNative)('a sender of AMQP 1.0 (needs RabbitMQ 4)', () => {
  it('is answered at the address that it gives, with the id that it gives', async () => {
    const body = message.data_section(Buffer.from(call('amqp1.text')));
    const reply = await replyTo({ body, correlation_id: 'amqp1.text' });
    expect(responseIn(reply)).toMatchObject({ code: '204' });
    expect(reply).toMatchObject({
      correlation_id: 'amqp1.text',
      application_properties: { uniqueid: 'amqp1.text', currency: 'USD' },
    });
  });

  it.each([
    ['a UUID', types.wrap_uuid(UUID), UUID, undefined],
    ['a number', types.wrap_ulong(42), '42', undefined],
    ['bytes', types.wrap_binary(CORRELATION), 'amqp1.bytes', CORRELATION],
    ['a long text', 'i'.repeat(300), 'amqp1.a long text', 'i'.repeat(300)],
  ])('gets an id back that is %s', async (name, id, told, annotation) => {
    const body = message.data_section(Buffer.from(call(`amqp1.${name}`)));
    const reply = await replyTo({ body, correlation_id: id });
    expect(responseIn(reply)).toMatchObject({ code: '204' });
    expect(reply.correlation_id).toEqual(told);
    expect(reply.message_annotations?.['x-correlation-id']).toEqual(annotation);
  });

  it('may divide the body into several data sections', async () => {
    const [start, end] = [call('amqp1.parts').slice(0, 20), call('amqp1.parts').slice(20)];
    const body = message.data_sections([Buffer.from(start), Buffer.from(end)]);
    expect(responseIn(await replyTo({ body }))).toMatchObject({ code: '204' });
  });

  it.each([
    ['value', call('amqp1.value')],
    ['value', types.wrap_binary(Buffer.from(call('amqp1.value')))],
    ['value', { uniqueid: 'amqp1.value', auth_password: 'right-canary' }],
    ['sequence', message.sequence_section([call('amqp1.sequence')])],
  ])('is told that a body that is a %s is none, and its password is not kept', async (kind, body) => {
    expect(responseIn(await replyTo({ body }))).toEqual({
      code: '400',
      key: '',
      message: `body is an AMQP 1.0 ${kind} (amqp-${kind}), expected a single data section`,
    });
    expect(await db.rows(`select 1 from dead_letters where body like '%right-canary%'`)).toEqual([]);
  });
});
