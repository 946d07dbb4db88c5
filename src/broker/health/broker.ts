import { randomUUID } from 'node:crypto';
import { isIP } from 'node:net';
import type { BrokerConnection } from '../connect.ts';
import { type Health, healthFrom } from './health.ts';

const OLDEST = [3, 10] as const;

/** What a connection by itself tells of a node, and of the user in its URL. */
export function brokerHealth(
  { broker, serverVersion }: Pick<BrokerConnection, 'broker' | 'serverVersion'>,
  url: string,
): Health {
  const [major = 0, minor = 0] = serverVersion.split('.').map(Number);
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  return healthFrom({
    problems: isOld ? [`${broker}, RabbitMQ ${serverVersion}: expected ${OLDEST.join('.')} or later`] : [],
    warnings: hasDefaultPassword(url)
      ? [`${broker}: guest has its default password, and may connect from elsewhere: delete this user`]
      : [],
    fine: `${broker}, RabbitMQ ${serverVersion}`,
  });
}

/** RabbitMQ itself lets this user in from its own machine only. */
function hasDefaultPassword(url: string): boolean {
  const { username, password, hostname } = new URL(url);
  const isHere =
    hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
  return !isHere && (username || 'guest') === 'guest' && (password || 'guest') === 'guest';
}

/**
 * Whether a memory or disk alarm blocks publishers. The broker tells only those who have published, and reads nothing more
 * from them: so this uses up a connection. What it publishes is unroutable and leaves nothing behind.
 *
 * @throws when the connection is lost or the broker does not answer.
 */
export async function alarmHealth(connection: BrokerConnection): Promise<Health> {
  const blocked = new Promise<null>((resolve) => connection.onBlocked(() => resolve(null)));
  const channel = await connection.openChannel();
  // Whether this user may publish does not matter here.
  channel.on('error', () => {});
  channel.publish('', `cdrs.reply.${randomUUID()}`, Buffer.alloc(0));
  const answered = connection.openChannel();
  answered.catch(() => {});
  await Promise.race([blocked, answered]);
  const { blocked: reason } = connection;
  connection.abandon('no longer needed');
  return healthFrom({
    problems: reason === null ? [] : [`an alarm blocks all publishers, senders and replies alike: ${reason}`],
    fine: 'no alarm blocks publishers',
  });
}
