import { type ConfirmChannel, connect } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { managementRequest } from '../../dev/stack/ready.ts';
import type { Isolated } from '../../dev/stack.ts';
import { type Outsider, outsider, until } from '../support/broker.ts';
import { type BrokerUser, brokerUser, documentedPermissions } from '../support/broker-users.ts';
import { openSite } from '../support/faults.ts';
import { runInProcess } from '../support/in-process.ts';
import { testServices, testStack } from '../support/stack.ts';
import { startProcess } from '../support/worker.ts';

// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });

let services: Isolated;
let managementUrl: string;
let other: Outsider;

beforeEach(async () => {
  services = await testServices('migration');
  managementUrl = (await testStack()).managementUrl ?? '';
  other = await outsider(services.amqpUrl);
  await run('topology');
  await declareOldForm(other);
});
afterEach(async () => {
  await other?.close();
  await services?.drop();
});

async function declareOldForm(to: Outsider): Promise<void> {
  await to.channel.deleteExchange('cdrs');
  await to.channel.assertExchange('cdrs', 'topic', { arguments: { 'alternate-exchange': 'cdrs.dead' } });
  await to.channel.bindQueue('cdrs.create', 'cdrs', 'cdrs.create.#');
}

const environment = () => ({ AMQP_URL: services.amqpUrl, AMQP_MANAGEMENT_URL: managementUrl });
const start = (args: string[], changed: Record<string, string> = {}) =>
  startProcess(args, { ...environment(), ...changed });

async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  const { code, stdout, stderr } = await runInProcess(args, environment());
  return { code, output: `${stdout}${stderr}` };
}

const vhost = () => new URL(services.amqpUrl).pathname.slice(1);
const policies = async () => {
  const response = await managementRequest(managementUrl, 'GET', `policies/${vhost()}`);
  return (await response.json()) as { name: string }[];
};
const isPlain = () =>
  other
    .apart((channel) => channel.assertExchange('cdrs', 'topic', { durable: true }))
    .then(
      () => true,
      () => false,
    );

/** Publishes until stopped; opens another channel when the broker closes one. Counts what is confirmed. */
async function publisher(url: string) {
  const connection = await connect(url);
  connection.on('error', () => {});
  let isStopped = false;
  let confirmed = 0;
  let refusals = 0;
  let longestMs = 0;
  const publish = (channel: ConfirmChannel) =>
    new Promise<boolean>((resolve) => {
      const fail = () => resolve(false);
      channel.once('close', fail);
      channel.publish('cdrs', 'cdrs.create.m', Buffer.from('call'), { persistent: true }, (error) => {
        channel.removeListener('close', fail);
        resolve(!error);
      });
    });
  const open = async () => {
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => {});
    return channel;
  };
  const working = (async () => {
    let channel = await open();
    let lastAt = performance.now();
    while (!isStopped) {
      if (await publish(channel)) {
        confirmed += 1;
        longestMs = Math.max(longestMs, performance.now() - lastAt);
        lastAt = performance.now();
      } else {
        refusals += 1;
        channel = await open();
      }
    }
  })();
  return {
    confirmed: () => confirmed,
    stop: async () => {
      isStopped = true;
      await working;
      await connection.close();
      return { confirmed, refusals, longestMs };
    },
  };
}

describe('topology --migrate', () => {
  it('replaces the exchange while switches publish, and loses nothing that is confirmed', async () => {
    const senders = await Promise.all(Array.from({ length: 4 }, () => publisher(services.amqpUrl)));
    const confirmed = () => senders.reduce((sum, sender) => sum + sender.confirmed(), 0);
    for (let turn = 1; turn <= 5; turn += 1) {
      const before = confirmed();
      await until(() => confirmed() > before + 200);
      const { code, output } = await run('topology', '--migrate');
      expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('migrated: ') });
      expect(await isPlain()).toBe(true);
      const after = confirmed();
      await until(() => confirmed() > after + 200);
      if (turn < 5) await declareOldForm(other);
    }
    const sent = await Promise.all(senders.map((sender) => sender.stop()));
    const sum = sent.reduce((total, each) => total + each.confirmed, 0);
    const kept = async () => (await other.depth('cdrs.create')) + (await other.depth('cdrs.dead'));
    await until(async () => (await kept()) >= sum);
    expect(await policies()).toEqual([]);
  });

  it('makes the bindings of others again, and leaves their policy in force', async () => {
    await other.channel.assertQueue('tap', { durable: true });
    await other.channel.bindQueue('tap', 'cdrs', 'cdrs.create.m', { 'x-mine': 'yes' });
    await other.channel.assertExchange('upstream', 'fanout');
    await other.channel.bindExchange('cdrs', 'upstream', '');
    const theirs = {
      pattern: '^cdrs',
      definition: { 'max-length': 100_000 },
      priority: 7,
      'apply-to': 'all',
    };
    await managementRequest(managementUrl, 'PUT', `policies/${vhost()}/theirs`, theirs);
    const { code, output } = await run('topology', '--migrate');
    expect(code).toBe(0);
    expect(output).toContain('made again: the binding "cdrs.create.m" of exchange "cdrs" to queue "tap"');
    other.channel.publish('upstream', 'cdrs.create.m', Buffer.from('call'));
    await other.channel.waitForConfirms();
    await until(async () => (await other.depth('tap')) === 1 && (await other.depth('cdrs.create')) === 1);
    expect(await policies()).toMatchObject([{ name: 'theirs', definition: theirs.definition }]);
  });

  it('changes nothing without the management API, says what it would cost, and does it with --yes', async () => {
    const nowhere = { AMQP_MANAGEMENT_URL: 'http://127.0.0.1:9' };
    const refused = await start(['topology', '--migrate'], nowhere);
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toContain(
      'between the declaration of the exchange and its binding would be lost',
    );
    expect(refused.output()).toContain('bindings of others to the exchange "cdrs" end with it');
    expect(await isPlain()).toBe(false);
    const accepted = await start(['topology', '--migrate', '--yes'], nowhere);
    expect({ code: await accepted.ended, output: accepted.output() }).toMatchObject({ code: 0 });
    expect(await isPlain()).toBe(true);
  });

  it('sees the policy that an operator set by the command that it names', async () => {
    const nowhere = { AMQP_MANAGEMENT_URL: 'http://127.0.0.1:9' };
    const asked = await start(['topology', '--migrate'], nowhere);
    await asked.ended;
    const [, pattern, definition = ''] =
      /rabbitmqctl set_policy .* --priority 100 cdrs-migration '(.*?)' '(.*?)'/.exec(asked.output()) ?? [];
    const policy = { pattern, definition: JSON.parse(definition), priority: 100, 'apply-to': 'exchanges' };
    await managementRequest(managementUrl, 'PUT', `policies/${vhost()}/cdrs-migration`, policy);
    const again = await start(['topology', '--migrate'], nowhere);
    expect(await again.ended).toBe(1);
    expect(again.output()).not.toContain('would be lost');
    expect(again.output()).toContain('bindings of others to the exchange "cdrs" end with it');
  });

  it('refuses where this user may not make a binding of others again', async () => {
    await other.channel.assertQueue('tap', { durable: true });
    await other.channel.bindQueue('tap', 'cdrs', '#');
    const setup: BrokerUser = await brokerUser(services.amqpUrl, documentedPermissions('setup'));
    const command = await start(['topology', '--migrate'], { AMQP_URL: setup.amqpUrl });
    expect(await command.ended).toBe(1);
    expect(command.output()).toContain('"#" of exchange "cdrs" to queue "tap" ends with the exchange');
    expect(await policies()).toEqual([]);
    await setup.drop();
  });

  it.each<[string, () => Promise<unknown>]>([
    ['before the exchange is touched', async () => {}],
    ['when the exchange is deleted', () => other.channel.deleteExchange('cdrs')],
    [
      'when the exchange is declared and not bound',
      async () => {
        await other.channel.deleteExchange('cdrs');
        await other.channel.assertExchange('cdrs', 'topic');
        // The policy is in force: this is not lost.
        other.channel.publish('cdrs', 'cdrs.create.m', Buffer.from('call'));
        await other.channel.waitForConfirms();
        await until(async () => (await other.depth('cdrs.create')) === 1);
      },
    ],
    [
      'in the middle of its proof',
      () => other.channel.assertExchange('cdrs.migration', 'topic', { durable: false }),
    ],
  ])('finishes when it is run again after it was killed %s', async (_, break_) => {
    const policy = {
      pattern: '^cdrs(\\.migration)?$',
      definition: { 'alternate-exchange': 'cdrs.intake' },
      'apply-to': 'exchanges',
    };
    await managementRequest(managementUrl, 'PUT', `policies/${vhost()}/cdrs-migration`, policy);
    await break_();
    for (const expected of [/^/, /has the new form already/]) {
      const { code, output } = await run('topology', '--migrate');
      expect({ code, output }).toMatchObject({ code: 0, output: expect.stringMatching(expected) });
    }
    expect(await isPlain()).toBe(true);
    expect(await policies()).toEqual([]);
    await expect(other.apart((channel) => channel.checkExchange('cdrs.migration'))).rejects.toThrow();
  });
});

describe('a worker', () => {
  it('consumes with an exchange of the form before, names the command once, and goes on through the migration', async () => {
    const site = await openSite('old-form', 4711);
    const its = await outsider(site.amqpUrl);
    await (await site.worker()).stop();
    await declareOldForm(its);
    const worker = await site.worker();
    expect(worker.output()).toContain('topology --migrate');
    await site.calls.send(site.calls.make(50));
    await site.allAnswered();
    const command = await start(['topology', '--migrate'], { AMQP_URL: site.amqpUrl });
    expect(await command.ended).toBe(0);
    await site.calls.send(site.calls.make(50));
    await site.allAnswered();
    expect(await site.audit()).toMatchObject({ lost: [], deadLetters: [], wrong: [] });
    await its.close();
    await site.close();
  });
});
