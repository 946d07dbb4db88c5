import { Duplex } from 'node:stream';
import { publishInBlocks } from '../src/broker/amqplib.ts';
import type { ConfirmChannel } from '../src/broker/connect.ts';
import { reusedHeaders } from '../src/broker/encoding/reused-options.ts';
import type { Bed } from './bed.ts';

const ROUNDS = 9;
const MESSAGES = 20_000;
/** As many as the replies of a busy batch. */
const TOGETHER = 200;
const QUEUE = 'bench.publishing';
const body = Buffer.alloc(200, 'x');

/**
 * What unusual pieces of src/broker are worth: messages encoded in blocks (`publishInBlocks`), one object for the headers of
 * all messages (`reusedHeaders`), and, where amqplib encodes, one write to the socket for all messages of a turn of the event
 * loop (`corkWrites`). CPU microseconds per confirmed message, garbage collection included; a figure per round.
 */
export async function measurePublishing(bed: Bed): Promise<Record<string, number[]>> {
  const connections = await Promise.all([bed.connect(), bed.connect(), bed.connect()]);
  const [inBlocks, corked, uncorked] = await Promise.all(
    connections.map((each) => each.openConfirmChannel()),
  );
  if (inBlocks === undefined || corked === undefined || uncorked === undefined)
    throw new Error('expected three channels');
  publishInBlocks(inBlocks);
  uncork(uncorked);
  await corked.assertQueue(QUEUE, { durable: true });
  const ways = {
    'publish, as src/broker does': () => publish(inBlocks, reusedHeaders),
    'publish, headers in a new object each': () => publish(inBlocks, (headers) => headers),
    'publish, encoded by amqplib': () => publish(corked, reusedHeaders),
    'publish, encoded by amqplib, a write for each message': () => publish(uncorked, reusedHeaders),
  };
  const measured: Record<string, number[]> = {};
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, way] of Object.entries(ways)) {
      const before = process.cpuUsage();
      await way();
      const { user, system } = process.cpuUsage(before);
      // The first round is for the compiler.
      if (round > 0) measured[name] = [...(measured[name] ?? []), (user + system) / MESSAGES];
      await corked.purgeQueue(QUEUE);
    }
  }
  await corked.deleteQueue(QUEUE);
  await Promise.all(connections.map((each) => each.close()));
  return measured;
}

/** Takes back what `corkWrites` has done to the socket of a channel. */
function uncork(channel: ConfirmChannel): void {
  const socket: unknown = Reflect.get(Reflect.get(channel, 'connection'), 'stream');
  if (!(socket instanceof Duplex) || !Object.hasOwn(socket, 'write'))
    throw new Error('expected a socket whose writes are corked');
  Reflect.deleteProperty(socket, 'write');
}

type Headers = ReturnType<typeof reusedHeaders>;

/** The headers of a reply, through `prepare`, and everything else as the publisher sends it. */
async function publish(
  channel: ConfirmChannel,
  prepare: (headers: Record<string, string | boolean>) => Headers,
): Promise<void> {
  for (let sent = 0; sent < MESSAGES; sent += TOGETHER) {
    for (let index = sent; index < sent + TOGETHER; index += 1) {
      const headers = { uniqueid: `1700000000.${index}`, duplicate: false, traceparent: TRACE };
      channel.publish('', QUEUE, body, {
        persistent: true,
        contentType: 'application/json',
        correlationId: String(index),
        messageId: `m.${index}`,
        mandatory: true,
        headers: prepare(headers),
      });
    }
    await channel.waitForConfirms();
  }
}

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
