import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { managementRequest } from '../../dev/stack/ready.ts';
import { preset } from '../sources/feeds.ts';
import { SAMPLE_KEYS, sample } from '../sources/samples.ts';
import { until } from '../support/broker.ts';
import { type BrokerUser, brokerUser } from '../support/broker-users.ts';
import { type FeedSite, openFeedSite } from '../support/feed-site.ts';
import { testStack } from '../support/stack.ts';
import { cgrates, modAmqp, type SwitchClient, yeti } from '../support/switch-clients.ts';

const FREESWITCH = { exchange: 'cdrs.from.fs-ams-1', type: 'topic' } as const;
const CGRATES = { exchange: 'cdrs.from.cgrates', type: 'topic' } as const;

let site: FeedSite;
const users: BrokerUser[] = [];
const clients: SwitchClient[] = [];

/** A broker user with the permissions that a page of docs/connect gives to the switch. */
async function documentedUser(page: string, name: string): Promise<string> {
  const text = readFileSync(new URL(`../../docs/connect/${page}`, import.meta.url), 'utf8');
  const line = new RegExp(`^rabbitmqctl set_permissions -p \\S+ ${name} '(.*)' '(.*)' '(.*)'$`, 'm');
  const [, configure, write, read] = line.exec(text) ?? [];
  if (configure === undefined || write === undefined || read === undefined)
    throw new Error(`${page} gives ${name} no permissions`);
  const user = await brokerUser(site.db.amqpUrl, { configure, write, read });
  users.push(user);
  return user.amqpUrl;
}

const opened = async (opening: Promise<SwitchClient>): Promise<SwitchClient> => {
  const client = await opening;
  clients.push(client);
  return client;
};

/** A FreeSWITCH event of a call of its own. */
const event = (id: string, more: object = {}) =>
  JSON.stringify({ ...JSON.parse(sample('01-freeswitch-mod_amqp-a-leg.json')), 'Unique-ID': id, ...more });

const sources = (uniqueid: string) =>
  site.db.rows(`select source, submitted_by from cdrs where uniqueid = '${uniqueid}'`);

const isStored = (uniqueid: string) => until(async () => (await sources(uniqueid)).length === 1);

beforeAll(async () => {
  const files = ['freeswitch-amqp.yaml', 'cgrates-ees.yaml', 'yeti.yaml'];
  site = await openFeedSite('switch_clients', files.map(preset).join('\n'), false);
  await site.db.execute(
    `insert into customers (id, name, currency, balance) values (101, 'harbour', 'EUR', 0)`,
  );
});

afterAll(async () => {
  for (const client of clients) await client.close().catch(() => {});
  for (const user of users) await user.drop();
  await site?.close();
});

describe('switches that declare their exchange', () => {
  it('may do so before there is a topology, the exchange cdrs included', async () => {
    const freeswitch = await documentedUser('freeswitch.md', 'fs-ams-1');
    const before = [
      await opened(modAmqp(freeswitch, FREESWITCH)),
      await opened(cgrates(await documentedUser('cgrates.md', 'cgrates'), CGRATES)),
      await opened(yeti(await documentedUser('yeti.md', 'yeti'))),
      await opened(modAmqp(site.db.amqpUrl, { exchange: 'cdrs', type: 'topic' })),
    ];
    expect(before.map((client) => client.refusal())).toEqual([undefined, undefined, undefined, undefined]);
    await site.startWorker();
    before[0]?.publish(event('declared-first'));
    before[2]?.publish(sample('16-yeti-cdr_amqp.json'));
    await isStored('declared-first');
    await isStored('yeti/771204');
    expect(before.map((client) => client.refusal())).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('may do so after it', async () => {
    const client = await opened(modAmqp(await documentedUser('freeswitch.md', 'fs-ams-1'), FREESWITCH, 2));
    client.publish(event('declared-last'));
    await isStored('declared-last');
    expect(await sources('declared-last')).toEqual([{ source: 'fs-ams-1', submitted_by: 'switch-fs-ams-1' }]);
    const onCdrs = await opened(modAmqp(site.db.amqpUrl, { exchange: 'cdrs', type: 'topic' }));
    expect(onCdrs.refusal()).toBeUndefined();
  });

  it('may write to no other exchange with the permissions of their page', async () => {
    const url = await documentedUser('freeswitch.md', 'fs-ams-1');
    await expect(modAmqp(url, { exchange: 'cdrs', type: 'topic' })).rejects.toThrow(/403|ACCESS_REFUSED/);
    await expect(modAmqp(url, CGRATES)).rejects.toThrow(/403|ACCESS_REFUSED/);
  });
});

describe('an event of mod_amqp', () => {
  it('that comes twice is one call', async () => {
    const body = event('twice');
    expect(await site.codesFor({ ...FREESWITCH, body, uniqueid: 'twice' }, 2)).toEqual(['204', '204']);
    expect(await sources('twice')).toHaveLength(1);
  });
});

describe('a rated record of CGRateS', () => {
  const UNIQUEID = '8d2f6a0c3b9e4f7185d0a1c2b3e4f5a697887766/*default';

  it('whose account nobody has loaded is kept, and stored when it is replayed with the key', async () => {
    const client = await opened(cgrates(await documentedUser('cgrates.md', 'cgrates'), CGRATES));
    client.publish(sample('15-cgrates-ees-amqp.json'));
    await until(
      async () =>
        (await site.db.rows(`select 1 from dead_letters where uniqueid = '${UNIQUEID}'`)).length === 1,
    );
    const listed = await site.run(['dead', 'list', '--source', 'cgrates', '--json']);
    expect(listed.stdout).toContain('harbour');
    const [{ kind, key, customer }] = SAMPLE_KEYS;
    await site.db.execute(
      `insert into customer_keys (kind, key, customer) values ('${kind}', '${key}', ${customer})`,
    );
    expect(await site.run(['dead', 'replay', '--source', 'cgrates'])).toMatchObject({ code: 0 });
    expect(await site.db.rows(`select source, cost::text from cdrs where uniqueid = '${UNIQUEID}'`)).toEqual([
      { source: 'cgrates', cost: '0.150000' },
    ]);
  });

  it('leaves a copy in a queue of CGRateS, unless the policy of its page keeps that empty', async () => {
    expect(await site.switches.depth('cgrates_cdrs')).toBeGreaterThan(0);
    const page = readFileSync(new URL('../../docs/connect/cgrates.md', import.meta.url), 'utf8');
    const [, pattern = '', definition = ''] =
      /^rabbitmqctl set_policy -p cdrs cgrates-copies '(.*)' '(.*)' --apply-to queues$/m.exec(page) ?? [];
    const vhost = new URL(site.db.amqpUrl).pathname.slice(1);
    const { managementUrl = '' } = await testStack();
    await managementRequest(managementUrl, 'PUT', `policies/${vhost}/cgrates-copies`, {
      pattern,
      definition: JSON.parse(definition),
      'apply-to': 'queues',
    });
    await until(async () => (await site.switches.depth('cgrates_cdrs')) === 0);
    site.publish(CGRATES.exchange, sample('15-cgrates-ees-amqp.json'));
    await site.isDrained();
    expect(await site.switches.depth('cgrates_cdrs')).toBe(0);
  });
});
