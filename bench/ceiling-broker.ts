import { type ConsumeMessage, connect } from 'amqplib';

/**
 * The program of the part `broker`: consume, confirmed reply, acknowledge, and nothing else. This is the least that any
 * worker pays for the broker: a batch is whatever has arrived, with one acknowledgement for all of it.
 */
const PREFETCH = 1500;
const BATCH = 500;
const reply = Buffer.from('{"responses":[{"code":"204","key":"","message":"OK"}]}');

const connection = await connect(process.env.AMQP_URL ?? '');
const incoming = await connection.createChannel();
const outgoing = await connection.createConfirmChannel();
const ready: ConsumeMessage[] = [];
let busy = false;

async function work(): Promise<void> {
  busy = true;
  while (ready.length > 0) {
    const batch = ready.splice(0, BATCH);
    for (const { properties } of batch) {
      const { correlationId } = properties;
      outgoing.publish('', properties.replyTo, reply, { persistent: true, mandatory: true, correlationId });
    }
    await outgoing.waitForConfirms();
    const last = batch.at(-1);
    if (last !== undefined) incoming.ack(last, true);
  }
  busy = false;
}

await incoming.prefetch(PREFETCH);
await incoming.consume('cdrs.create', (message) => {
  if (message === null) return;
  ready.push(message);
  if (!busy) setImmediate(() => (busy ? undefined : work()));
});
