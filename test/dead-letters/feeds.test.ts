import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RECORD_TYPE } from '../../src/domain/record-replay.ts';
import { REPLAY_HEADER } from '../../src/domain/replay-header.ts';
import { upsertUser } from '../../src/store/users.ts';
import { type Outsider, outsider, until } from '../support/broker.ts';
import { type OperatorSite, openOperatorSite, PASSWORD } from '../support/operators.ts';
import { cheapHash } from '../support/password.ts';

const EXCHANGE = 'cdrs.from.fs';

/** The sources file; a test that mends it has the worker read it again. */
function fileOf({ cost = 'price', name = 'fs', skip = 'b' } = {}): string {
  return `${name}:
  exchange: ${EXCHANGE}
  as: switch-fs
  machines: [m-1]
  format: json
  skip: { leg: [${skip}] }
  call:
    uniqueid: id
    machine: host
    start: { from: begin, time: s }
    scustomer: { from: account, lookup: account }
    cost: ${cost}
    note: { from: remark, optional: true }
`;
}

let site: OperatorSite;
let switches: Outsider;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'feeds-'));
  const SOURCES_FILE = join(directory, 'sources.yaml');
  writeFileSync(SOURCES_FILE, fileOf());
  site = await openOperatorSite('dead-letters-feeds', { SOURCES_FILE });
  const passwordHash = await cheapHash('nobody-needs-it');
  await upsertUser(site.db.sql, { username: 'switch-fs', role: 'system', passwordHash });
  await site.db.execute(`insert into customer_keys (kind, key, customer) values ('account', 'one', 1)`);
  switches = await outsider(site.db.amqpUrl);
  await switches.channel.assertExchange(EXCHANGE, 'topic', { durable: true });
  await switches.channel.bindQueue('cdrs.create', EXCHANGE, '#');
});

afterAll(async () => {
  await switches?.close();
  await site?.close();
  rmSync(directory, { recursive: true, force: true });
});

let readings = 0;
async function mend(text: string): Promise<void> {
  writeFileSync(join(directory, 'sources.yaml'), text);
  readings += 1;
  site.worker.child.kill('SIGHUP');
  await until(() => site.worker.output().split('sources file read again').length > readings);
}

const RECORD = { host: 'm-1', begin: '1790000000', account: 'one', price: '1.25', leg: 'a' };

function publish(record: object, headers: Record<string, unknown> = {}): void {
  const body = Buffer.from(JSON.stringify({ ...RECORD, ...record }));
  switches.channel.publish(EXCHANGE, 'any.key', body, { contentType: 'text/json', headers });
}

const deadLettersOf = (uniqueid: string) =>
  site.db.rows(`select id::text, reason, status, source, verified::text, submitted_by, body, edits::text,
    responses -> 0 ->> 'key' as key, responses -> 0 ->> 'message' as message
    from dead_letters where uniqueid = '${uniqueid}' or body like '%"${uniqueid}"%' order by id`);

/** A record that is refused; the id of its dead letter. */
async function refused(record: { id: string } & Record<string, unknown>): Promise<string> {
  publish(record);
  await until(async () => (await deadLettersOf(record.id)).length > 0);
  const [row] = await deadLettersOf(record.id);
  return row?.id ?? '';
}

const storedAs = (uniqueid: string) =>
  site.db.rows(
    `select source, submitted_by, replayed_by, scustomer::text, trim_scale(cost)::text as cost from cdrs
     where uniqueid = '${uniqueid}'`,
  );

describe('a record that cannot be stored', () => {
  it('is kept as its switch wrote it, with the feed and the parameter', async () => {
    await refused({ id: 'a-1', account: 'nobody', sip_auth_password: 'canary-55' });
    const [row] = await deadLettersOf('a-1');
    expect(row).toMatchObject({
      reason: 'rejected',
      source: 'fs',
      verified: 'true',
      submitted_by: 'switch-fs',
      key: 'scustomer',
      body: JSON.stringify({ ...RECORD, id: 'a-1', account: 'nobody', sip_auth_password: '***' }),
    });
    expect(row?.message).toContain('nobody');
  });

  it('is listed, grouped, shown and exported by its feed', async () => {
    const id = await refused({ id: 'a-2', account: 'nobody', deep: { a: [1.5] } });
    await site.submit({ uniqueid: 'a-3', scustomer: 99 });
    const sources = async (...args: string[]) =>
      (await site.deadJson<{ source: string | null }[]>(['list', ...args])).map(({ source }) => source);
    expect(new Set(await sources('--source', 'fs'))).toEqual(new Set(['fs']));
    expect(new Set(await sources('--source', ''))).toEqual(new Set([null]));
    expect(await sources('--source', 'other')).toEqual([]);
    expect(await site.dead(['list', '--source', 'no such name'])).toMatchObject({ code: 2 });
    const groups = await site.deadJson<{ value: string }[]>(['list', '--group-by', 'source']);
    expect(groups.map(({ value }) => value)).toEqual(expect.arrayContaining(['fs', null]));
    const { stdout } = await site.dead(['show', id]);
    expect(stdout).toContain('record of the feed fs');
    expect(stdout).toContain('\n  "deep": {\n    "a": [\n      1.5');
    const exported = await site.dead(['export', id]);
    expect(JSON.parse(exported.stdout)).toMatchObject({ source: 'fs' });
  });

  it('becomes a call by a replay once its key is there, with the same filter', async () => {
    await refused({ id: 'b-1', account: 'late' });
    await site.db.execute(`insert into customer_keys (kind, key, customer) values ('account', 'late', 2)`);
    const replay = ['replay', '--source', 'fs', '--key', 'scustomer', '--uniqueid', 'b-1'];
    expect(await site.deadJson([...replay, '--dry-run'])).toMatchObject({
      rows: [{ uniqueid: 'b-1', becomes: 'accepted', code: '204', customer: 2 }],
    });
    expect(await site.deadJson(replay)).toMatchObject({ resolved: 1 });
    expect(await storedAs('b-1')).toEqual([
      { source: 'fs', submitted_by: 'switch-fs', replayed_by: 'boss', scustomer: '2', cost: '1.25' },
    ]);
    expect(await deadLettersOf('b-1')).toMatchObject([{ status: 'resolved' }]);
  });

  it('becomes a call by a replay once the file is mended', async () => {
    const id = await refused({ id: 'b-2', price: undefined, billed: '7.5' });
    expect(await deadLettersOf('b-2')).toMatchObject([{ key: 'cost', message: 'field price is missing' }]);
    expect(await site.deadJson(['replay', id])).toMatchObject({ dead: 1 });
    await mend(fileOf({ cost: '{ first: [price, billed] }' }));
    expect(await site.deadJson(['replay', id])).toMatchObject({ resolved: 1 });
    expect(await storedAs('b-2')).toMatchObject([{ cost: '7.5' }]);
  });

  it('takes what an operator sets in place of what the map says, a lookup too', async () => {
    const id = await refused({ id: 'b-3', account: 'nobody', price: 'free' });
    const fixed = ['replay', id, '--set', 'scustomer=3', '--set', 'cost=2.5', '--why', 'told by phone'];
    expect(await site.deadJson([...fixed, '--dry-run'])).toMatchObject({
      rows: [{ becomes: 'accepted', customer: 3 }],
    });
    expect(await site.deadJson(fixed)).toMatchObject({ resolved: 1 });
    expect(await storedAs('b-3')).toMatchObject([{ scustomer: '3', cost: '2.5' }]);
    const [row] = await deadLettersOf('b-3');
    expect(row?.body).toContain('"price":"free"');
    expect(JSON.parse(row?.edits ?? '')).toEqual({ scustomer: '3', cost: '2.5' });
    expect(await site.dead(['replay', id, '--set', 'validation=1'])).toMatchObject({ code: 2 });
  });

  it('is not taken for a call of the contract, whatever the names of its fields', async () => {
    const record = {
      id: 'b-4',
      account: 'nobody',
      validation: 1,
      auth_username: 'x',
      uniqueid: 'y',
      cost: 'z',
    };
    const id = await refused(record);
    await site.db.execute(`insert into customer_keys (kind, key, customer) values ('account', 'nobody', 1)`);
    expect(await site.deadJson(['replay', id])).toMatchObject({ resolved: 1 });
    expect(await storedAs('b-4')).toMatchObject([{ submitted_by: 'switch-fs', cost: '1.25' }]);
    expect(await storedAs('y')).toEqual([]);
    await site.db.execute(`delete from customer_keys where key = 'nobody'`);
  });

  it('stays dead, in words, where the file of the worker or of the command lacks its feed', async () => {
    const id = await refused({ id: 'c-1', account: 'gone' });
    await site.db.execute(`insert into customer_keys (kind, key, customer) values ('account', 'gone', 1)`);
    const shown = await site.dead(['replay', id, '--dry-run'], { SOURCES_FILE: '' });
    expect(shown.stdout.replaceAll(/\s+/g, ' ')).toContain('is not in SOURCES_FILE');
    const dry = await site.dead(['replay', id, '--dry-run', '--json'], { SOURCES_FILE: '' });
    expect(JSON.parse(dry.stdout)).toMatchObject({
      rows: [
        {
          becomes: 'rejected',
          responses: [{ key: '', message: 'the feed "fs" is not in SOURCES_FILE of this command' }],
        },
      ],
    });
    await mend(fileOf({ name: 'renamed' }));
    expect(await site.deadJson(['replay', id])).toMatchObject({ dead: 1 });
    expect(await deadLettersOf('c-1')).toMatchObject([
      {
        reason: 'rejected',
        status: 'dead',
        source: 'fs',
        key: '',
        message: 'the feed "fs" is not in SOURCES_FILE of this worker',
      },
    ]);
    await mend(fileOf());
    expect(await site.deadJson(['replay', id])).toMatchObject({ resolved: 1 });
  });

  it('stays dead where the file skips it by now: what is not stored is not resolved', async () => {
    const id = await refused({ id: 'c-2', account: 'nobody', leg: 'c' });
    await mend(fileOf({ skip: 'c' }));
    expect(await site.deadJson(['replay', id])).toMatchObject({ dead: 1 });
    expect(await deadLettersOf('c-2')).toMatchObject([
      { status: 'dead', key: '', message: 'the sources file skips records whose leg is "c"' },
    ]);
    await mend(fileOf());
  });

  it('is never replayed with the mask that stands in place of a secret', async () => {
    const id = await refused({ id: 'c-3', account: 'nobody', token: 'canary-66' });
    await site.db.execute(`insert into customer_keys (kind, key, customer) values ('account', 'nobody', 1)`);
    await mend(fileOf().replace('remark', 'token'));
    expect(await site.deadJson(['replay', id])).toMatchObject({ dead: 1 });
    expect(await deadLettersOf('c-3')).toMatchObject([{ key: 'note' }]);
    expect(await site.deadJson(['replay', id, '--set', 'note=none'])).toMatchObject({ resolved: 1 });
    await site.db.execute(`delete from customer_keys where key = 'nobody'`);
    await mend(fileOf());
  });
});

describe('the form of a replayed record', () => {
  const forgery = `{"source":"fs","set":{}}\n${JSON.stringify({ ...RECORD, id: 'd-1' })}`;

  it.each([
    ['without a token', {}],
    ['with a token of nobody', { [REPLAY_HEADER]: `1.1.${'A'.repeat(43)}` }],
  ])('gets nobody in: %s', async (_, headers) => {
    await site.db.execute(`delete from dead_letters where body like '%d-1%'`);
    switches.channel.publish('cdrs', 'cdrs.create', Buffer.from(forgery), {
      contentType: RECORD_TYPE,
      headers,
    });
    await until(async () => (await deadLettersOf('d-1')).length > 0);
    const [row] = await deadLettersOf('d-1');
    expect(row).toMatchObject({ source: null, verified: 'false' });
    expect(row?.reason).toMatch(/rejected|unauthenticated/);
    expect(await storedAs('d-1')).toEqual([]);
  });

  it("means nothing in a record, which is its feed's whatever its headers", async () => {
    publish({ id: 'd-2' }, { [REPLAY_HEADER]: `1.1.${'A'.repeat(43)}` });
    await until(async () => (await storedAs('d-2')).length > 0);
    expect(await storedAs('d-2')).toMatchObject([{ source: 'fs', replayed_by: null }]);
  });

  it('has room for the largest record that a worker takes', async () => {
    const padding = 'x'.repeat(
      65_536 - JSON.stringify({ ...RECORD, id: 'd-3', account: 'large', padding: '' }).length,
    );
    const id = await refused({ id: 'd-3', account: 'large', padding });
    await site.db.execute(`insert into customer_keys (kind, key, customer) values ('account', 'large', 1)`);
    expect(await site.deadJson(['replay', id, '--set', `note=${'n'.repeat(4000)}`])).toMatchObject({
      resolved: 1,
    });
  });
});

it('no password of a record is in the database', async () => {
  const all = await site.db.rows(`select d::text || coalesce(e::text, '') as text from dead_letters d
    left join dead_letter_events e on e.dead_letter = d.id`);
  expect(all.map(({ text }) => text).join('\n')).not.toMatch(new RegExp(`canary-|${PASSWORD}`));
});
