import { randomUUID } from 'node:crypto';
import type { ConfirmChannel } from 'amqplib';
import type { BrokerConnection } from './connect.ts';
import { within } from './deadline.ts';
import type { Health } from './health.ts';
import type { TopologyNames } from './topology-objects.ts';

const ACCESS_REFUSED = 403;

/**
 * Whether this user may do what a worker does: read its queues, write replies to the results exchange and, through the
 * default exchange, to the queues of senders. Nothing is left behind: what is published can be routed nowhere, and the
 * consumers asked for are refused for an argument, which the broker looks at after the permission.
 *
 * @throws when the connection is lost or the broker does not answer.
 */
export async function permissionsHealth(connection: BrokerConnection, names: TopologyNames): Promise<Health> {
  const { queue, deadQueue, resultsExchange } = names;
  const nowhere = `cdrs.reply.${randomUUID()}`;
  const refused = {
    write: [
      ...((await mayWrite(connection, '', nowhere)) ? [] : ['amq.default']),
      ...((await mayWrite(connection, resultsExchange, nowhere)) ? [] : [resultsExchange]),
    ],
    read: [
      ...((await mayRead(connection, queue)) ? [] : [queue]),
      ...((await mayRead(connection, deadQueue)) ? [] : [deadQueue]),
    ],
  };
  const problems = Object.entries(refused).flatMap(([right, objects]) =>
    objects.length === 0 ? [] : [`no ${right} permission on ${objects.join(' and ')}`],
  );
  if (problems.length === 0)
    return { state: 'ok', detail: 'this user may read the queues and answer to all senders' };
  const mend = `rabbitmqctl set_permissions with write '^(cdrs\\.results|amq\\.default)$' and read '^cdrs\\.(create|dead)$'`;
  return { state: 'failed', detail: `${problems.join('; ')}: ${mend}` };
}

async function mayWrite(connection: BrokerConnection, exchange: string, key: string): Promise<boolean> {
  const channel = await connection.openConfirmChannel();
  return await allows(channel, connection, (done) => {
    channel.publish(exchange, key, Buffer.alloc(0), { mandatory: true }, () => done());
  });
}

async function mayRead(connection: BrokerConnection, queue: string): Promise<boolean> {
  const channel = await connection.openConfirmChannel();
  return await allows(channel, connection, (done) => {
    const refusedArgument = { 'x-priority': 'none' };
    channel.consume(queue, () => {}, { arguments: refusedArgument }).then(done, () => {});
  });
}

/** False only for a refusal: what else closes the channel, a missing exchange say, is no lack of permission. */
async function allows(
  channel: ConfirmChannel,
  connection: BrokerConnection,
  act: (done: () => void) => void,
): Promise<boolean> {
  const code = new Promise<unknown>((resolve) => {
    channel.on('error', (error: { code?: unknown }) => resolve(error.code));
    channel.on('close', () => resolve(undefined));
    act(() => resolve(undefined));
  });
  const found = await within(code, connection.rpcTimeoutMs, 'the answer about a permission');
  await channel.close().catch(() => {});
  return found !== ACCESS_REFUSED;
}
