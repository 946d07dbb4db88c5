import { randomUUID } from 'node:crypto';
import { within } from '../../retry.ts';
import type { BrokerConnection, ConfirmChannel } from '../connect.ts';
import type { TopologyNames } from '../topology.ts';
import type { Health } from './health.ts';

const ACCESS_REFUSED = 403;

/**
 * Whether this user may do what a worker does: read its queues, publish replies to the results exchange and,
 * through the default exchange, to queues of senders. Leaves nothing behind: what it publishes is unroutable,
 * and its consumers have an invalid argument, which the broker checks after the permission.
 *
 * @throws when the connection is lost or the broker does not answer.
 */
export async function permissionsHealth(connection: BrokerConnection, names: TopologyNames): Promise<Health> {
  const { queue, deadQueue, resultsExchange } = names;
  const unroutableKey = `cdrs.reply.${randomUUID()}`;
  const refused = {
    write: [
      ...((await mayWrite(connection, '', unroutableKey)) ? [] : ['amq.default']),
      ...((await mayWrite(connection, resultsExchange, unroutableKey)) ? [] : [resultsExchange]),
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
    return { state: 'ok', detail: 'this user may read the queues and reply to all senders' };
  const remedy = `rabbitmqctl set_permissions with write '^(cdrs\\.results|amq\\.default)$' and read '^cdrs\\.(create|dead)$'`;
  return { state: 'failed', detail: `${problems.join('; ')}: ${remedy}` };
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

/**
 * False only if refused. Other errors that close the channel, as for a missing exchange, say nothing of
 * permissions.
 */
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
