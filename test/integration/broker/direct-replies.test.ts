import { connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DirectReplies, type DirectResult } from '../../../src/broker/direct-replies/direct-replies.ts';
import type { OutgoingMessage } from '../../../src/broker/publisher.ts';
import type { SupervisedConnection } from '../../../src/broker/supervisor.ts';
import { supervise, until } from '../../support/broker.ts';
import {
  addressOfNoNode,
  closing,
  closingOnThree,
  type DirectSender,
  ignored,
  openDirectSender,
} from '../../support/direct.ts';
import { type FaultProxy, startProxy } from '../../support/proxy.ts';
import { testServices } from '../../support/stack.ts';

function reply(routingKey: string, correlationId = '', accepted = true) {
  const message: OutgoingMessage = {
    exchange: '',
    routingKey,
    body: Buffer.from('x'),
    properties: { correlationId },
    mandatory: false,
  };
  return { message, accepted };
}

const kinds = (results: readonly DirectResult[]) =>
  results.map((result) => (result.kind === 'failed' ? result.reason : result.kind));

describe('direct replies', () => {
  let services: Awaited<ReturnType<typeof testServices>>;
  let proxy: FaultProxy;
  let direct: DirectReplies;
  let sender: DirectSender;
  /**
   * Whether this RabbitMQ closes a connection over an address. From 4.2 on: never. From 4.0 on: not if it
   * names a node.
   */
  let closes: (address: string) => boolean;
  const ofGoneNode = addressOfNoNode(1);
  let opened: { name: string; connection: SupervisedConnection; ups: number }[];
  const upsOf = (name: string) => opened.find((one) => one.name === name)?.ups ?? 0;

  beforeAll(async () => {
    services = await testServices('direct');
    proxy = await startProxy(services.amqpUrl);
    sender = await openDirectSender(services.amqpUrl);
    const connection = await connect(services.amqpUrl);
    const [, major = '', minor = ''] =
      /^(\d+)\.(\d+)/.exec(connection.connection.serverProperties.version) ?? [];
    const harmless = new Set(Number(major) < 4 ? [] : Object.values(closingOnThree));
    const neverCloses = Number(major) > 4 || (Number(major) === 4 && Number(minor) >= 2);
    closes = (address) => !neverCloses && !harmless.has(address);
    await connection.close();
  });
  afterAll(async () => {
    await sender?.close();
    await proxy?.close();
    await services?.drop();
  });
  beforeEach(() => {
    opened = [];
    const lane = (name: string) => () => {
      const entry = { name, ups: 0 };
      const connection = supervise(proxy.url(services.amqpUrl), {
        pauses: { first: 10, longest: 250 },
        onUp: () => {
          found.ups += 1;
        },
      });
      const found = { ...entry, connection };
      opened.push(found);
      return connection;
    };
    direct = new DirectReplies(
      { proven: lane('proven'), likely: lane('likely'), unknown: lane('unknown') },
      { timeoutMs: 5_000, maxInFlight: 1000 },
      { timeoutMs: 5_000, maxInFlight: 100 },
    );
  });
  afterEach(() => direct.stop());

  it.each(Object.entries({ ...closing, ...closingOnThree }))(
    'that make the broker close a connection must be recognised: %s',
    async (_, address) => {
      if (!closes(address)) return expect(closes(address)).toBe(false);
      const connection = await connect(services.amqpUrl);
      const ended = new Promise<string>((resolve) => {
        connection.on('error', (error) => resolve(error.message));
      });
      const channel = await connection.createConfirmChannel();
      channel.on('error', () => {});
      channel.publish('', address, Buffer.from('x'), {}, () => {});
      expect(await ended).toContain('541');
    },
  );

  it('to an address go over a connection of their own after one was confirmed', async () => {
    expect(direct.isProven(sender.address)).toBe(false);
    expect(kinds(await direct.publish([reply(sender.address, 'a1')]))).toEqual(['confirmed']);
    expect(direct.isProven(sender.address)).toBe(true);
    expect(opened.map(({ name }) => name)).toEqual(['unknown']);
    expect(kinds(await direct.publish([reply(sender.address, 'a2')]))).toEqual(['confirmed']);
    expect(opened.map(({ name }) => name)).toEqual(['unknown', 'proven']);
    await until(() => ['a1', 'a2'].every((id) => sender.heard.has(id)));
  });

  it('to a new address of a node that works do not wait for their turn', async () => {
    const others = await Promise.all(Array.from({ length: 5 }, () => openDirectSender(services.amqpUrl)));
    await direct.publish([reply(sender.address, 'n0')]);
    const results = await direct.publish(others.map(({ address }, index) => reply(address, `n${index + 1}`)));
    expect(kinds(results)).toEqual(others.map(() => 'confirmed'));
    expect(opened.map(({ name }) => name)).toEqual(['unknown', 'likely']);
    await until(() => others.every(({ heard }, index) => heard.has(`n${index + 1}`)));
    await Promise.all(others.map((other) => other.close()));
  });

  it.each(Object.entries({ ...closing, ...closingOnThree, ...ignored }))(
    'to other addresses are not lost: %s',
    async (name, address) => {
      const ids = Array.from({ length: 30 }, (_, index) => `${name} ${index}`);
      const mixed = ids.flatMap((id, index) => {
        const honest = reply(sender.address, id);
        return index % 3 === 0 ? [reply(address, 'bad'), honest] : [honest];
      });
      const results = await direct.publish(mixed);
      const honest = results.filter((_, index) => mixed[index]?.message.routingKey === sender.address);
      expect(new Set(kinds(honest))).toEqual(new Set(['confirmed']));
      const hostile = results.filter((_, index) => mixed[index]?.message.routingKey === address);
      // The address is recognised once. The second reply to it costs no connection.
      if (closes(address) && !(name in ignored))
        for (const kind of kinds(hostile)) expect(kind).toMatch(/^(malformed|closing)$/);
      expect(upsOf('unknown')).toBeLessThanOrEqual(3);
      await until(() => ids.every((id) => sender.heard.has(id)));
    },
  );

  it('are not held up by a flood of different addresses, and the flood is bounded', async () => {
    if (!closes(ofGoneNode)) return expect(closes(ofGoneNode)).toBe(false);
    let number = 0;
    const flood = setInterval(() => {
      for (let burst = 0; burst < 5; burst += 1) {
        number += 1;
        direct.publish([reply(addressOfNoNode(number), 'flood', false)]);
      }
    }, 50);
    try {
      await until(() => number > 20);
      // Its node is unknown yet, so it is tried alone, before the flood.
      const asked = performance.now();
      expect(kinds(await direct.publish([reply(sender.address, 'first')]))).toEqual(['confirmed']);
      expect(performance.now() - asked).toBeLessThan(1_000);
      const newcomers = await Promise.all(
        Array.from({ length: 5 }, () => openDirectSender(services.amqpUrl)),
      );
      const results = await direct.publish(newcomers.map(({ address }) => reply(address, 'new')));
      expect(kinds(results)).toEqual(newcomers.map(() => 'confirmed'));
      const before = number;
      for (let index = 0; number < before + 100; index += 1) {
        expect(kinds(await direct.publish([reply(sender.address, `s${index}`)]))).toEqual(['confirmed']);
        await until(() => sender.heard.has(`s${index}`));
      }
      await Promise.all(newcomers.map((other) => other.close()));
    } finally {
      clearInterval(flood);
    }
    expect(upsOf('proven')).toBe(1);
    expect(upsOf('likely')).toBe(1);
    expect(upsOf('unknown')).toBeGreaterThan(5);
  });

  it('that were on a connection when it was cut are sent again at once', async () => {
    await direct.publish([reply(sender.address, 'c0')]);
    await direct.publish([reply(sender.address, 'c1')]);
    proxy.delay(100);
    const sending = direct.publish(
      Array.from({ length: 50 }, (_, index) => reply(sender.address, `c${index}`)),
    );
    proxy.cut();
    proxy.delay(0);
    expect(new Set(kinds(await sending))).toEqual(new Set(['confirmed']));
    await until(() =>
      Array.from({ length: 50 }, (_, index) => `c${index}`).every((id) => sender.heard.has(id)),
    );
  });

  it('that were on a connection when the broker closed it are sent again', async () => {
    if (!closes(ofGoneNode)) return expect(closes(ofGoneNode)).toBe(false);
    const others = await Promise.all(Array.from({ length: 5 }, () => openDirectSender(services.amqpUrl)));
    await direct.publish([reply(sender.address, 'w')]);
    await direct.publish([reply(others[0]?.address ?? '', 'w')]);
    const shared = opened.find(({ name }) => name === 'likely')?.connection.current;
    const channel = await shared?.openConfirmChannel();
    channel?.on('error', () => {});
    // So many that the broker closes the connection before the last one is confirmed.
    const many = Array.from({ length: 3000 }, (_, index) =>
      reply(others[1 + (index % 4)]?.address ?? '', `x${index}`),
    );
    channel?.publish('', addressOfNoNode(1), Buffer.from('x'));
    const results = await direct.publish(many);
    expect(upsOf('likely')).toBe(2);
    expect(new Set(kinds(results))).toEqual(new Set(['confirmed']));
    const heard = () => others.reduce((sum, other) => sum + other.heard.size, 0);
    await until(() => heard() === 3001);
    await Promise.all(others.map((other) => other.close()));
  });
});
