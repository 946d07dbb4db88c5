import { randomBytes } from 'node:crypto';
import { managementRequest } from '../../dev/stack/ready.ts';
import { testStack } from './stack.ts';

/** What a user of the broker may do in a vhost, as patterns of names. */
export interface Permissions {
  configure: string;
  write: string;
  read: string;
}

/** A user of the broker, made for a test. */
export interface BrokerUser {
  /** As that user, to the same vhost. */
  amqpUrl: string;
  /** Counts for what is done from now on. */
  permit(permissions: Permissions): Promise<void>;
  drop(): Promise<void>;
}

export async function brokerUser(amqpUrl: string, permissions: Permissions): Promise<BrokerUser> {
  const { managementUrl = '' } = await testStack();
  const url = new URL(amqpUrl);
  const vhost = url.pathname.slice(1);
  url.username = `user-${randomBytes(4).toString('hex')}`;
  url.password = randomBytes(8).toString('hex');
  const ask = (method: string, path: string, body?: object) =>
    managementRequest(managementUrl, method, path, body);
  const permit = async (now: Permissions) =>
    void (await ask('PUT', `permissions/${vhost}/${url.username}`, now));
  await ask('PUT', `users/${url.username}`, { password: url.password, tags: '' });
  await permit(permissions);
  return {
    amqpUrl: url.href,
    permit,
    drop: async () => void (await ask('DELETE', `users/${url.username}`)),
  };
}
