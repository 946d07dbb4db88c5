import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRabbit } from '../../dev/stack/rabbit.ts';
import { preset } from '../sources/feeds.ts';
import { SAMPLE_PEERS } from '../sources/samples.ts';
import { until } from '../support/broker.ts';
import { type FeedSite, openFeedSite } from '../support/feed-site.ts';
import { type Kamailio, kamailioTree, startKamailio } from '../support/kamailio.ts';
import { type Called, type CalledSide, makeCall, openCalledSide } from '../support/sip.ts';

const tree = await kamailioTree().catch((error: Error) => error);
if (tree instanceof Error) console.warn(`Kamailio is not tried here: ${tree.message}`);

const EXCHANGE = 'cdrs.from.sbc-1';
/** The preset with account codes, as its page says. */
const SOURCES = preset('kamailio-acc-json.yaml').replace(
  'scustomer: acct',
  'scustomer: { from: acct, lookup: account }',
);

describe.skipIf(tree instanceof Error)('a real Kamailio, configured as docs/connect/kamailio.md says', () => {
  let site: FeedSite;
  let called: CalledSide;
  let kamailio: Kamailio;

  beforeAll(async () => {
    site = await openFeedSite('kamailio', SOURCES);
    await site.db.execute(
      `insert into customers (id, name, currency, balance) values (101, 'harbour', 'EUR', 0)`,
    );
    for (const [name, id] of Object.entries(SAMPLE_PEERS))
      await site.db.execute(`update peers set name = '${name}' where id = ${id}`);
    called = await openCalledSide();
    kamailio = await startKamailio(String(tree), called.port, site.db.amqpUrl);
  });

  afterAll(async () => {
    await kamailio?.stop();
    called?.close();
    await site?.close();
  });

  const call = (how: Called) => makeCall({ proxy: kamailio.port, called: how });

  async function storedCall(callId: string) {
    const find = () =>
      site.db.rows(`select uniqueid, status, talktime::text, totaltime::text, scustomer::text, peer::text, source,
        snumber, cnumber from cdrs where callid = '${callId}'`);
    await until(async () => (await find()).length > 0);
    const rows = await find();
    expect(rows).toHaveLength(1);
    return rows[0];
  }

  it('has its call kept while nobody knows the account, and stored when it is replayed with the key', async () => {
    const callId = await call('answers');
    const letters = () =>
      site.db.rows(`select reason, source, body from dead_letters where uniqueid like '${callId};%'`);
    await until(async () => (await letters()).length === 1);
    const [letter] = await letters();
    expect(letter).toMatchObject({ reason: 'rejected', source: 'sbc-1' });
    expect(JSON.parse(letter?.body ?? '')).toMatchObject({ ci: callId, acct: 'harbour', code: '200' });
    await site.db.execute(
      `insert into customer_keys (kind, key, customer) values ('account', 'harbour', 101)`,
    );
    expect(await site.run(['dead', 'replay', '--source', 'sbc-1'])).toMatchObject({ code: 0 });
    expect(await storedCall(callId)).toMatchObject({ status: 'answer', scustomer: '101', source: 'sbc-1' });
  });

  it('has an answered call stored with its talk time, from and to whom, and over which trunk', async () => {
    const stored = await storedCall(await call('answers'));
    expect(Number(stored?.talktime)).toBeGreaterThanOrEqual(1);
    expect(stored).toMatchObject({
      status: 'answer',
      scustomer: '101',
      peer: '1',
      snumber: '31205550101',
      cnumber: '442075550142',
    });
  });

  it.each([
    ['is busy', 'busy'],
    ['rings until the caller cancels', 'cancel'],
  ] as const)('has a call stored where the called side %s: %s, without talk time', async (how, status) => {
    expect(await storedCall(await call(how))).toMatchObject({ status, talktime: '0', totaltime: '0' });
  });

  it('has a call stored whose sides vanished: until the dialog expired', async () => {
    expect(await storedCall(await call('answers and vanishes'))).toMatchObject({ status: 'answer' });
  });

  it('has a caller whose name is full of quotes billed like any other', async () => {
    const callId = await makeCall({ proxy: kamailio.port, called: 'answers', name: 'Zoë \\"K\\" €' });
    expect(await storedCall(callId)).toMatchObject({ status: 'answer' });
  });

  it('has a record that comes again answered and stored once', async () => {
    const copies = await site.switches.channel.assertQueue('', { exclusive: true });
    await site.switches.channel.bindQueue(copies.queue, EXCHANGE, '#');
    const callId = await call('answers');
    const stored = await storedCall(callId);
    const copy = await site.switches.channel.get(copies.queue, { noAck: true });
    if (copy === false) throw new Error('expected a copy of the record');
    const record = { exchange: EXCHANGE, body: copy.content.toString(), uniqueid: stored?.uniqueid ?? '' };
    expect(await site.codesFor(record)).toEqual(['204']);
    expect(await storedCall(callId)).toEqual(stored);
    expect(await site.run(['reconcile'])).toMatchObject({ code: 0 });
  });
});

describe.skipIf(tree instanceof Error)('a real Kamailio whose broker is away', () => {
  it('keeps its records, and publishes them once the broker is back', async () => {
    const rabbit = await startRabbit();
    const called = await openCalledSide();
    const heard = new Set<string>();

    /** Hears the feed, as long as the broker lives. */
    async function listen(): Promise<void> {
      const connection = await connect(rabbit.url);
      connection.on('error', () => {});
      const channel = await connection.createChannel();
      await channel.assertExchange(EXCHANGE, 'topic');
      await channel.assertQueue('records', { durable: true });
      await channel.bindQueue('records', EXCHANGE, '#');
      await channel.consume('records', (message) => {
        if (message !== null) heard.add((JSON.parse(message.content.toString()) as { ci: string }).ci);
      });
    }

    await listen();
    const kamailio = await startKamailio(String(tree), called.port, `${rabbit.url}/%2F`);
    const call = () => makeCall({ proxy: kamailio.port, called: 'is busy' });
    try {
      const before = await call();
      await until(() => heard.has(before));
      await rabbit.stop('hard');
      const away = [await call(), await call()];
      await until(() => kamailio.output().includes('FAIL: open TCP sock'));
      await rabbit.start();
      await listen();
      await until(() => away.every((callId) => heard.has(callId)));
    } finally {
      await kamailio.stop();
      called.close();
      await rabbit.remove();
    }
  });
});
