import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cdr, cdrFields } from '../../src/domain/cdr.ts';
import { feedIn, preset } from '../sources/feeds.ts';
import { expectedCall, PRESET_OF, SAMPLE_KEYS, SAMPLE_PEERS, sample } from '../sources/samples.ts';
import { until } from '../support/broker.ts';
import { type FeedSite, openFeedSite } from '../support/feed-site.ts';

const ASTERISK = 'asterisk-cdr-custom.yaml';
const files = [...new Set([...Object.values(PRESET_OF), ASTERISK])];
/** Written by a real Asterisk. */
const ASTERISK_FILE = fileURLToPath(new URL('../sources/real/asterisk-cdr-custom.jsonl', import.meta.url));
let site: FeedSite;

beforeAll(async () => {
  site = await openFeedSite('feed_samples', files.map(preset).join('\n'));
  await site.db.execute(
    `insert into customers (id, name, currency, balance) values (101, 'harbour', 'EUR', 0)`,
  );
  for (const [name, id] of Object.entries(SAMPLE_PEERS))
    await site.db.execute(`insert into peers (id, name) values (${id}, '${name}')
      on conflict (id) do update set name = excluded.name`);
});
afterAll(() => site?.close());

const loadKeys = async () => {
  for (const { kind, key, customer } of SAMPLE_KEYS)
    await site.db.execute(
      `insert into customer_keys (kind, key, customer) values ('${kind}', '${key}', ${customer})`,
    );
};

/** The row of a call as the contract has it: numbers as text, times as Unix seconds, 0 for none. */
async function storedCall(uniqueid: string): Promise<Record<string, string> | undefined> {
  const columns = cdrFields.map((name) => {
    if (name === 'start' || name === 'end') return `extract(epoch from "${name}")::bigint::text as "${name}"`;
    return name === 'peer' || name === 'invoice'
      ? `coalesce(${name}, 0)::text as ${name}`
      : `"${name}"::text as "${name}"`;
  });
  const rows = await site.db.rows(
    `select ${columns.join(', ')} from cdrs where uniqueid = '${uniqueid}' and source is not null`,
  );
  expect(rows.length).toBeLessThanOrEqual(1);
  return rows[0] as Record<string, string> | undefined;
}

/** What the row of a call is to say, likewise. */
function rowOf(call: Cdr): Record<string, string> {
  const texts = Object.entries(call).map(([name, value]) => [name, String(value)]);
  return { ...Object.fromEntries(texts), cost: Number(call.cost).toFixed(6) };
}

const exchangeOf = (file: string) => feedIn(preset(file)).spec.exchange;

describe('before billing has loaded the keys', () => {
  const lookedUp = [
    '05-asterisk-cdr_amqp.json',
    '09-opensips-E_ACC_CDR.json',
    '11-kazoo-cdr-report.json',
    '15-cgrates-ees-amqp.json',
  ];

  it.each(lookedUp)(
    '%s is a dead letter with its native body, and replayed once its key is there',
    async (name) => {
      const { uniqueid } = expectedCall(name) ?? { uniqueid: '' };
      const exchange = exchangeOf(PRESET_OF[name] ?? '');
      expect(await site.codesFor({ exchange, body: sample(name), uniqueid })).toEqual(['400']);
      const [letter] = await site.db.rows(
        `select reason, source, responses::text, body from dead_letters where uniqueid = '${uniqueid}'`,
      );
      // Kazoo has a name that might be a secret's.
      const body = sample(name).replace('"Authorizing-Type": "device"', '"Authorizing-Type": "***"');
      expect(letter).toMatchObject({ reason: 'rejected', body });
      expect(letter?.responses).toContain('"key": "scustomer"');
    },
  );

  it('the file of a real Asterisk is too, record by record', async () => {
    const sent = await site.run(['publish', '--source', 'pbx-rtm-2', ASTERISK_FILE]);
    expect(sent.code).toBe(1);
    expect(sent.stdout).toContain('line 4: 400 scustomer: no customer has the account "harbour"');
    const letters = await site.db.rows(`select source from dead_letters where source = 'pbx-rtm-2'`);
    expect(letters).toHaveLength(4);
  });

  it('one replay with the same filter mends them all', async () => {
    await loadKeys();
    const replay = await site.run(['dead', 'replay', '--key', 'scustomer']);
    expect(replay).toMatchObject({ code: 0 });
    for (const name of lookedUp) {
      const call = expectedCall(name);
      if (call === null) throw new Error(`${name} is left out`);
      await until(async () => (await storedCall(call.uniqueid)) !== undefined);
      expect(await storedCall(call.uniqueid)).toEqual(rowOf(call));
    }
    expect(await site.db.rows(`select status from dead_letters where status <> 'resolved'`)).toEqual([]);
  });
});

describe('every sample, sent twice', () => {
  it.each(Object.entries(PRESET_OF))('%s becomes what its expectation says, once', async (name, file) => {
    const call = expectedCall(name);
    const before = await site.db.rows('select uniqueid from cdrs');
    const record = { exchange: exchangeOf(file), body: sample(name) };
    if (call === null) {
      site.publish(record.exchange, record.body);
      await site.isDrained();
      expect(await site.db.rows('select uniqueid from cdrs')).toHaveLength(before.length);
      return;
    }
    const { uniqueid } = call;
    expect(await site.codesFor({ ...record, uniqueid }, 2)).toEqual(['204', '204']);
    expect(await storedCall(call.uniqueid)).toEqual(rowOf(call));
  });

  it('the file of Asterisk is stored once, calls of one uniqueid told apart, and nothing of it is missing', async () => {
    const again = await site.run(['publish', '--source', 'pbx-rtm-2', ASTERISK_FILE]);
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(again.stdout).toContain('4 duplicates');
    const calls = await site.db.rows(
      `select sname, status from cdrs where source = 'pbx-rtm-2' order by start, uniqueid`,
    );
    expect(calls).toEqual([
      { sname: 'Front Desk', status: 'answer' },
      { sname: 'Zoë "K" & 5%+1 €', status: 'answer' },
      { sname: 'Front Desk', status: 'busy' },
      { sname: 'Front Desk', status: 'busy' },
    ]);
    expect(await site.run(['source', 'audit', ASTERISK_FILE, '--source', 'pbx-rtm-2'])).toMatchObject({
      code: 0,
    });
  });

  it('leaves the books right', async () => {
    expect(await site.run(['reconcile'])).toMatchObject({ code: 0 });
  });
});
