import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { RabbitServer } from './rabbit.ts';
import { managementRequest } from './ready.ts';
import type { Stack } from './types.ts';

/** A database and a vhost that nobody else uses. */
export interface Isolated {
  databaseUrl: string;
  amqpUrl: string;
  /** The vhost could not be made and is the stack's own, shared with others: names have to differ. */
  shared?: true;
  /** Removes both, whoever is still connected. */
  drop(): Promise<void>;
}

/**
 * Makes a database and a vhost within a stack. Every call makes new ones, even for the same name.
 *
 * @param template the database to copy, empty if not given. template1 would not do: it cannot be copied while anyone is
 *   connected to it, nor with another encoding.
 */
export async function isolate(stack: Stack, name: string, template = 'template0'): Promise<Isolated> {
  const readable = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .slice(0, 40);
  const unique = `cdr_${readable}_${randomBytes(4).toString('hex')}`;
  const [database, vhost] = await Promise.allSettled([
    createDatabase(stack, unique, template),
    createVhost(stack, unique),
  ]);
  if (database.status === 'fulfilled' && vhost.status === 'fulfilled') {
    return {
      databaseUrl: withPath(stack.databaseUrl, unique),
      amqpUrl: vhost.value ? withPath(stack.amqpUrl, unique) : stack.amqpUrl,
      ...(!vhost.value && { shared: true as const }),
      drop: async () => {
        await Promise.all([database.value(), vhost.value?.()]);
      },
    };
  }
  if (database.status === 'fulfilled') await database.value();
  if (vhost.status === 'fulfilled') await vhost.value?.();
  throw database.status === 'rejected' ? database.reason : vhost.status === 'rejected' && vhost.reason;
}

type Drop = () => Promise<void>;

async function createDatabase(stack: Stack, name: string, template: string): Promise<Drop> {
  await query(
    stack.databaseUrl,
    `create database "${name}" template "${template}" encoding 'UTF8' locale 'C'`,
  );
  return () => query(stack.databaseUrl, `drop database if exists "${name}" with (force)`);
}

async function query(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Undefined where the broker offers no way to make a vhost. */
async function createVhost(stack: Stack, name: string): Promise<Drop | undefined> {
  const everything = { configure: '.*', write: '.*', read: '.*' };
  const { username } = new URL(stack.amqpUrl.split(',')[0] ?? '');
  const { managementUrl, rabbitmq } = stack;
  if (managementUrl !== undefined) {
    await managementRequest(managementUrl, 'PUT', `vhosts/${name}`, {});
    await managementRequest(managementUrl, 'PUT', `permissions/${name}/${username}`, everything);
    return async () => {
      await managementRequest(managementUrl, 'DELETE', `vhosts/${name}`);
    };
  }
  if (!(rabbitmq instanceof RabbitServer)) return undefined;
  // Two starts of an Erlang machine, some seconds: a stack with `management` is the faster one.
  await rabbitmq.ctl(['add_vhost', name]);
  await rabbitmq.ctl(['set_permissions', '-p', name, decodeURIComponent(username), '.*', '.*', '.*']);
  return async () => {
    await rabbitmq.ctl(['delete_vhost', name]);
  };
}

/** The same server or servers, another database or vhost. */
function withPath(urls: string, path: string): string {
  const replaced = urls.split(',').map((text) => {
    const url = new URL(text.trim());
    url.pathname = `/${path}`;
    return url.href;
  });
  return replaced.join(',');
}
