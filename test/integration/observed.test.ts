import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashPassword } from '../../src/auth/password.ts';
import { upsertUser } from '../../src/store/users.ts';
import { type Outsider, outsider, until } from '../support/broker.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

const REPLIES = 'cdrs.reply.observer';
const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

let db: BillingDatabase;
let worker: WorkerProcess;
let other: Outsider;
const replies: { correlationId: string; headers: Record<string, unknown> }[] = [];

beforeAll(async () => {
  db = await billingDatabase('observed');
  const passwordHash = await hashPassword('right-one');
  await upsertUser(db.sql, { username: 'switch', role: 'system', passwordHash });
  worker = await startProcess(['worker'], {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    HTTP_PORT: '0',
    LOG_LEVEL: 'debug',
  });
  await worker.logged('"state":"consuming"');
  other = await outsider(db.amqpUrl);
  await other.channel.assertQueue(REPLIES, { exclusive: true });
  await other.channel.consume(
    REPLIES,
    (message) => {
      const { correlationId, headers = {} } = message?.properties ?? {};
      replies.push({ correlationId: String(correlationId), headers });
    },
    { noAck: true },
  );
});
afterAll(async () => {
  await other?.close();
  await worker?.stop();
  await db?.drop();
});

interface Sent {
  correlationId: string;
  headers?: object;
  timestamp?: number;
}

/** Sends a call and resolves with the headers of its reply. */
async function send(parameters: object, { correlationId, ...options }: Sent): Promise<object> {
  const call = { auth_username: 'switch', auth_password: 'right-one', machine: 'm', start: 1, scustomer: 1 };
  const body = Buffer.from(JSON.stringify({ ...call, uniqueid: correlationId, ...parameters }));
  other.channel.publish('cdrs', 'cdrs.create', body, { ...options, correlationId, replyTo: REPLIES });
  const own = () => replies.find((reply) => reply.correlationId === correlationId);
  await until(() => own() !== undefined);
  return own()?.headers ?? {};
}

/** The two lines that carry the correlation id of a message: of its batch and its own. */
async function linesOf(correlationId: string): Promise<Record<string, unknown>[]> {
  const found = () =>
    worker
      .output()
      .split('\n')
      .filter((line) => line.includes(`"correlationId":"${correlationId}"`) && line.endsWith('}'));
  await until(() => found().length === 2);
  return found().map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function samples(): Promise<Map<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${await worker.port()}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

describe('a trace', () => {
  it('goes from the request to the reply and to the lines of batch and call', async () => {
    expect(await send({}, { correlationId: 'traced', headers: { traceparent: TRACE } })).toMatchObject({
      uniqueid: 'traced',
      traceparent: TRACE,
    });
    const lines = await linesOf('traced');
    expect(lines.map(({ msg }) => msg)).toEqual(['batch persisted', 'accepted']);
    for (const line of lines) expect(line).toMatchObject({ traceparent: TRACE });
  });

  it('goes with a refused call into its line and its dead letter', async () => {
    await send({ cost: 'dear' }, { correlationId: 'refused', headers: { traceparent: TRACE } });
    expect(await linesOf('refused')).toContainEqual(
      expect.objectContaining({
        msg: 'refused',
        code: '400',
        keys: ['cost'],
        uniqueid: 'refused',
        traceparent: TRACE,
      }),
    );
    expect(await db.rows(`select properties ->> 'traceparent' as trace from dead_letters`)).toEqual([
      { trace: TRACE },
    ]);
  });

  it.each([
    ['other text', 'hello\nworld'],
    ['an ID of zeros', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
    ['the version that is forbidden', TRACE.replace(/^00/, 'ff')],
    ['capital letters', TRACE.toUpperCase()],
    ['a number', 7],
  ])('is not carried on where the header is %s', async (name, traceparent) => {
    const correlationId = `malformed, ${name}`;
    const reply = await send({}, { correlationId, headers: { traceparent } });
    expect(reply).toMatchObject({ uniqueid: correlationId });
    expect(reply).not.toHaveProperty('traceparent');
    for (const line of await linesOf(correlationId)) expect(line).not.toHaveProperty('traceparent');
  });
});

describe('the metrics', () => {
  it('tell the age of messages whose sender said when, and of no other', async () => {
    const before = await samples();
    const now = Math.floor(Date.now() / 1000);
    await send({}, { correlationId: 'unstamped' });
    await send({}, { correlationId: 'old', timestamp: now - 100 });
    await send({}, { correlationId: 'from the future', timestamp: now + 3600 });
    const count = 'cdr_ingest_message_age_seconds_count';
    await until(async () => (await samples()).get(count) === (before.get(count) ?? 0) + 2);
    const sum =
      ((await samples()).get('cdr_ingest_message_age_seconds_sum') ?? 0) -
      (before.get('cdr_ingest_message_age_seconds_sum') ?? 0);
    expect(sum).toBeGreaterThanOrEqual(100);
    expect(sum).toBeLessThan(130);
  });

  it('count each message once, by code, reason and queue', async () => {
    const names = [
      'cdr_ingest_results_total{code="204"}',
      'cdr_ingest_results_total{code="400"}',
      'cdr_ingest_results_total{code="401"}',
      'cdr_ingest_duplicates_total',
      'cdr_ingest_dead_letters_total{reason="rejected"}',
      'cdr_ingest_dead_letters_total{reason="conflict"}',
      'cdr_ingest_cleaned_parameters_total',
      'messaging_client_consumed_messages_total{messaging_system="rabbitmq",messaging_destination_name="cdrs.create",messaging_operation_name="ack"}',
      'messaging_process_duration_seconds_count{messaging_system="rabbitmq",messaging_destination_name="cdrs.create",messaging_operation_name="process"}',
    ];
    const before = await samples();
    await Promise.all([
      send({ uniqueid: 'counted', note: 'a\u0007b' }, { correlationId: 'c1' }),
      send({ cost: 'x' }, { correlationId: 'c2' }),
      send({ auth_password: 'wrong-one' }, { correlationId: 'c3' }),
    ]);
    await send({ uniqueid: 'counted', note: 'a\u0007b' }, { correlationId: 'c4' });
    await send({ uniqueid: 'counted', cost: 2 }, { correlationId: 'c5' });
    const grown = async () => {
      const after = await samples();
      return names.map((name) => (after.get(name) ?? 0) - (before.get(name) ?? 0));
    };
    await until(async () => (await grown()).at(-1) === 5);
    expect(await grown()).toEqual([2, 2, 1, 1, 1, 1, 2, 5, 5]);
  });
});
