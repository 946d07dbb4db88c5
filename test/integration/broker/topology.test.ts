import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BrokerConnection, openConnection } from '../../../src/broker/connect.ts';
import { checkTopology, declareTopology } from '../../../src/broker/declare.ts';
import { defaultNames, type FeedExchange } from '../../../src/broker/topology.ts';
import { type Outsider, outsider, until } from '../../support/broker.ts';
import { testServices, testStack } from '../../support/stack.ts';

async function open(url: string): Promise<BrokerConnection> {
  const opened = await openConnection({ url, name: 'test', heartbeatSeconds: 5, connectTimeoutMs: 5_000 });
  if (opened.kind === 'failed') throw new Error(opened.problem);
  return opened.connection;
}

describe('the topology', () => {
  let services: Awaited<ReturnType<typeof testServices>>;
  let connection: BrokerConnection;
  let other: Outsider;

  beforeAll(async () => {
    services = await testServices('topology');
    connection = await open(services.amqpUrl);
    other = await outsider(services.amqpUrl);
  });
  afterAll(async () => {
    await other?.close();
    await connection?.close();
    await services?.drop();
  });

  it('is all missing on an empty broker, and checking declares nothing', async () => {
    for (let turn = 0; turn < 2; turn += 1) {
      const reports = await checkTopology(connection, defaultNames);
      const wrong = reports.filter(({ ok }) => !ok);
      expect(wrong.map(({ object }) => object)).toEqual([
        'exchange "cdrs.dead"',
        'queue "cdrs.dead"',
        'exchange "cdrs.results"',
        'queue "cdrs.results"',
        'queue "cdrs.create"',
        'exchange "cdrs.intake"',
        'exchange "cdrs"',
      ]);
      expect(wrong[0]?.problem).toContain('does not exist');
    }
  });

  it('is declared, passes the check, and can be declared again', async () => {
    for (let turn = 0; turn < 2; turn += 1) {
      expect((await declareTopology(connection, defaultNames)).filter(({ ok }) => !ok)).toEqual([]);
      const reports = await checkTopology(connection, defaultNames);
      expect(reports).toHaveLength(13);
      expect(reports.filter(({ ok }) => !ok)).toEqual([]);
    }
  });

  it('names the object, the expected argument and the message of the broker if an argument differs', async () => {
    const names = { ...defaultNames, deliveryLimit: 7 };
    for (const reports of [
      await checkTopology(connection, names),
      await declareTopology(connection, names),
    ]) {
      const wrong = reports.filter(({ ok }) => !ok);
      expect(wrong.map(({ object }) => object)).toEqual(['queue "cdrs.create"']);
      expect(wrong[0]?.problem).toContain('x-delivery-limit=7');
      expect(wrong[0]?.problem).toContain("received '7' but current is '20'");
    }
  });

  it('lets any client declare cdrs as switches do, without arguments, and none publish to cdrs.intake', async () => {
    await other.apart((channel) => channel.assertExchange('cdrs', 'topic', { durable: true }));
    const refused = other.apart(async (channel) => {
      const closed = new Promise<string>((resolve) => channel.on('error', ({ message }) => resolve(message)));
      channel.publish('cdrs.intake', 'cdrs.create', Buffer.from('forged'));
      throw new Error(await closed);
    });
    await expect(refused).rejects.toThrow("cannot publish to internal exchange 'cdrs.intake'");
  });

  it('sends unroutable messages to the dead letters', async () => {
    other.channel.publish('cdrs', 'cdr.craete', Buffer.from('mistyped'), { mandatory: true });
    await other.channel.waitForConfirms();
    await until(async () => (await other.depth('cdrs.dead')) === 1);
    await other.channel.purgeQueue('cdrs.dead');
  });

  it('sends what is delivered too often to the dead letters, where no delivery limit drops it', async () => {
    other.channel.publish('cdrs', 'cdrs.create.sw1', Buffer.from('poison'), { persistent: true });
    await other.channel.waitForConfirms();
    const refuse = (queue: string) =>
      other.apart(async (channel) => {
        const message = await channel.get(queue);
        if (message) channel.nack(message, false, true);
        return message;
      });
    await until(async () => {
      await refuse('cdrs.create');
      return (await other.depth('cdrs.dead')) === 1;
    });
    for (let refused = 0; refused < 40; ) if (await refuse('cdrs.dead')) refused += 1;
    await until(async () => (await other.depth('cdrs.dead')) === 1);
    const last = await other.apart((channel) => channel.get('cdrs.dead', { noAck: true }));
    if (!last) throw new Error('the last copy is gone');
    expect(last.fields.routingKey).toBe('cdrs.create.sw1');
    expect(last.properties.headers?.['x-death']?.[0]?.count).toBe(1);
  });

  it('names a missing queue', async () => {
    await other.channel.deleteQueue('cdrs.results');
    const wrong = (await checkTopology(connection, defaultNames)).filter(({ ok }) => !ok);
    expect(wrong).toHaveLength(1);
    expect(wrong[0]?.object).toBe('queue "cdrs.results"');
    expect(wrong[0]?.problem).toContain('does not exist');
    await declareTopology(connection, defaultNames);
  });

  it('leaves an exchange cdrs of the form before as it is, names the command, and delivers a call once', async () => {
    const alternate = { durable: true, arguments: { 'alternate-exchange': 'cdrs.dead' } };
    await redeclare(other, 'cdrs', 'topic', alternate);
    await other.channel.bindQueue('cdrs.create', 'cdrs', 'cdrs.create.#');
    for (const reports of [
      await checkTopology(connection, defaultNames),
      await declareTopology(connection, defaultNames),
    ]) {
      const wrong = reports.filter(({ ok }) => !ok);
      expect(wrong).toMatchObject([{ object: 'exchange "cdrs"', state: 'old form' }]);
      expect(wrong[0]?.problem).toContain('"cdr-ingest topology --migrate"');
    }
    other.channel.publish('cdrs', 'cdrs.create.sw1', Buffer.from('once'));
    other.channel.publish('cdrs', 'mistyped', Buffer.from('kept'));
    await other.channel.waitForConfirms();
    await until(async () => (await other.depth('cdrs.create')) + (await other.depth('cdrs.dead')) === 2);
    expect([await other.depth('cdrs.create'), await other.depth('cdrs.dead')]).toEqual([1, 1]);
    await other.channel.purgeQueue('cdrs.create');
    await other.channel.purgeQueue('cdrs.dead');
    await other.channel.deleteExchange('cdrs');
    await declareTopology(connection, defaultNames);
  });

  it('accepts a cdrs.intake that is not internal, as the Kubernetes operator declares it, but no other alternate exchange', async () => {
    const open = { durable: true, arguments: { 'alternate-exchange': 'cdrs.dead' } };
    await redeclare(other, 'cdrs.intake', 'topic', open);
    expect((await declareTopology(connection, defaultNames)).filter(({ ok }) => !ok)).toEqual([]);
    await redeclare(other, 'cdrs.intake', 'topic', { durable: true });
    const wrong = (await checkTopology(connection, defaultNames)).filter(({ ok }) => !ok);
    expect(wrong.map(({ object }) => object)).toEqual(['exchange "cdrs.intake"']);
    expect(wrong[0]?.problem).toContain('alternate-exchange=cdrs.dead');
    await other.channel.deleteExchange('cdrs.intake');
    await declareTopology(connection, defaultNames);
  });

  it.each<{ feed: FeedExchange; sent: string[] }>([
    { feed: { exchange: 'cdrs.from.a', type: 'topic' }, sent: ['', 'any.key'] },
    { feed: { exchange: 'cdrs.from.b', type: 'fanout' }, sent: ['', 'any.key'] },
    { feed: { exchange: 'cdrs.from.c', type: 'direct', keys: ['a', 'b'] }, sent: ['b', 'a'] },
  ])(
    'has the exchange of a feed, which it may declare itself, bound to the queue: $feed',
    async ({ feed, sent }) => {
      for (let turn = 0; turn < 2; turn += 1) {
        const reports = await declareTopology(connection, defaultNames, [feed]);
        expect(reports.filter(({ ok }) => !ok)).toEqual([]);
        expect(reports.map(({ object }) => object)).toContain(`exchange "${feed.exchange}"`);
      }
      await other.apart((channel) => channel.assertExchange(feed.exchange, feed.type, { durable: true }));
      for (const key of sent) other.channel.publish(feed.exchange, key, Buffer.from(key));
      await other.channel.waitForConfirms();
      await until(async () => (await other.depth('cdrs.create')) === sent.length);
      const message = await other.apart((channel) => channel.get('cdrs.create', { noAck: true }));
      expect(message).toMatchObject({ fields: { exchange: feed.exchange } });
      await other.channel.purgeQueue('cdrs.create');
    },
  );

  it('uses the exchange of a feed as somebody declared it, and says so', async () => {
    const feed = { exchange: 'switch.events', type: 'topic' } as const;
    await other.channel.assertExchange(feed.exchange, 'topic', { durable: false, autoDelete: true });
    const reports = await declareTopology(connection, defaultNames, [feed]);
    expect(reports.filter(({ ok }) => !ok)).toEqual([]);
    const found = reports.find(({ object }) => object === 'exchange "switch.events"');
    expect(found).toMatchObject({ state: 'as found', problem: expect.stringContaining("'durable'") });
    expect(await checkTopology(connection, defaultNames, [feed])).toContainEqual(found);
    other.channel.publish(feed.exchange, 'any', Buffer.from('call'));
    await other.channel.waitForConfirms();
    await until(async () => (await other.depth('cdrs.create')) === 1);
    await other.channel.purgeQueue('cdrs.create');
  });

  it('names the type of a feed exchange that is of another one than the file says, and does not bind it', async () => {
    const feed = { exchange: 'switch.direct', type: 'topic' } as const;
    await other.channel.assertExchange(feed.exchange, 'direct', { durable: true });
    const reports = await declareTopology(connection, defaultNames, [feed]);
    const [wrong, ...more] = reports.filter(({ ok }) => !ok);
    expect(more).toEqual([]);
    expect(wrong?.object).toBe('exchange "switch.direct"');
    expect(wrong?.problem).toContain("received 'topic' but current is 'direct'");
    expect(wrong?.problem).toContain('SOURCES_FILE');
    expect(reports.some(({ object }) => object.includes('of exchange "switch.direct"'))).toBe(false);
  });

  it('is only checked for existence, and says so, without the permission to configure', async (context) => {
    const { managementUrl } = await testStack();
    // Needed to create users; a broker in a container may not have it.
    if (managementUrl === undefined) return context.skip();
    const vhost = new URL(services.amqpUrl).pathname.slice(1);
    const user = `reader_${vhost}`.slice(0, 60);
    await manage(managementUrl, 'PUT', `users/${user}`, { password: 'reader', tags: '' });
    await manage(managementUrl, 'PUT', `permissions/${vhost}/${user}`, {
      configure: '^$',
      write: '.*',
      read: '.*',
    });
    const url = new URL(services.amqpUrl);
    url.username = user;
    url.password = 'reader';
    const limited = await open(url.href);
    try {
      const reports = await checkTopology(limited, { ...defaultNames, deliveryLimit: 7 });
      expect(reports.filter(({ ok }) => !ok)).toEqual([]);
      expect(reports.find(({ object }) => object === 'queue "cdrs.create"')?.problem).toContain(
        'not checked',
      );
      const declared = await declareTopology(limited, defaultNames);
      expect(declared.find(({ object }) => object === 'queue "cdrs.create"')?.problem).toContain(
        'may not be declared',
      );
    } finally {
      await limited.close();
      await manage(managementUrl, 'DELETE', `users/${user}`);
    }
  });
});

/** What the broker says of an exchange that is declared in another way than the topology's. */
async function redeclare(other: Outsider, name: string, type: string, options: object): Promise<void> {
  await other.channel.deleteExchange(name);
  await other.channel.assertExchange(name, type, options);
}

async function manage(base: string, method: string, path: string, body?: object): Promise<void> {
  const { username, password, origin } = new URL(base);
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const headers = {
    authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
    'content-type': 'application/json',
  };
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
  const response = await fetch(`${origin}/api/${path}`, init);
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
}
