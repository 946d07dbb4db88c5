import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { managementRequest } from '../../dev/stack/ready.ts';
import { testStack } from './stack.ts';

/** Permissions of a broker user in a vhost, as patterns of names. */
export interface Permissions {
  configure: string;
  write: string;
  read: string;
}

const OPERATIONS = new URL('../../docs/operations.md', import.meta.url);

/** The permissions that docs/operations.md gives to this user. */
export function documentedPermissions(name: 'worker' | 'switch-1' | 'setup'): Permissions {
  const line = new RegExp(`^rabbitmqctl set_permissions -p cdrs ${name} '(.*)' '(.*)' '(.*)'$`, 'm');
  const [, configure, write, read] = line.exec(readFileSync(OPERATIONS, 'utf8')) ?? [];
  if (configure === undefined || write === undefined || read === undefined)
    throw new Error(`docs/operations.md gives ${name} no permissions`);
  return { configure, write, read };
}

/** A user of the broker, made for a test. */
export interface BrokerUser {
  /** As that user, to the same vhost, with its password of now. */
  readonly amqpUrl: string;
  /** Replaces the permissions. */
  permit(permissions: Permissions): Promise<void>;
  /** Gives it another password. Its connections stay. */
  changePassword(): Promise<void>;
  /** Closes its connections. */
  disconnect(): Promise<void>;
  drop(): Promise<void>;
}

export async function brokerUser(amqpUrl: string, permissions: Permissions): Promise<BrokerUser> {
  const { managementUrl = '' } = await testStack();
  const url = new URL(amqpUrl);
  const vhost = url.pathname.slice(1);
  url.username = `user-${randomBytes(4).toString('hex')}`;
  const ask = (method: string, path: string, body?: object) =>
    managementRequest(managementUrl, method, path, body);
  const permit = async (now: Permissions) =>
    void (await ask('PUT', `permissions/${vhost}/${url.username}`, now));
  const changePassword = async () => {
    url.password = randomBytes(8).toString('hex');
    await ask('PUT', `users/${url.username}`, { password: url.password, tags: '' });
  };
  await changePassword();
  await permit(permissions);
  return {
    get amqpUrl() {
      return url.href;
    },
    permit,
    changePassword,
    disconnect: async () => void (await ask('DELETE', `connections/username/${url.username}`)),
    drop: async () => void (await ask('DELETE', `users/${url.username}`)),
  };
}
