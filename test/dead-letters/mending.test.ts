import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CorrectionText, readCorrection } from '../../src/dead-letters/correction.ts';
import { correctionsFor } from '../../src/dead-letters/corrections.ts';
import { newToken, nextAttempt } from '../../src/dead-letters/message.ts';
import { prepareCorrection } from '../../src/dead-letters/prepare-correction.ts';
import { correctDeadLetters } from '../../src/store/dead-letters/edit.ts';
import { readReplayable } from '../../src/store/dead-letters/mark.ts';
import { markAsBoss } from '../support/marking.ts';
import { type OperatorSite, openOperatorSite, PASSWORD } from '../support/operators.ts';

let site: OperatorSite;

beforeAll(async () => {
  site = await openOperatorSite('mending');
});

afterAll(async () => {
  await site?.close();
});

const WHY = 'as the switch meant it';

/** Corrects one dead letter as an operator does; returns how many rows that changed. */
async function mend(id: string, text: CorrectionText): Promise<number> {
  const rows = await readReplayable(site.db.sql, [id]);
  const prepared = prepareCorrection(rows, readCorrection(text), WHY, { feedNamed: () => undefined });
  if (prepared.kind === 'refused') throw new Error(prepared.problem);
  const { corrections, skipped } = correctionsFor(rows, prepared.correction);
  expect(skipped).toEqual([]);
  const stored = await correctDeadLetters(site.db.sql, corrections, {
    by: 'boss',
    why: WHY,
    program: 'console',
  });
  return stored.size;
}

const idOf = async (where: string) => (await site.ids(where)).at(-1) ?? '';
const storedAs = (uniqueid: string) =>
  site.db.rows(
    `select scustomer, trim_scale(cost)::text as cost, submitted_by, replayed_by from cdrs where uniqueid = '${uniqueid}'`,
  );

describe('a call with a misnamed parameter', () => {
  it('is stored with the value under its right name; what came stays on record', async () => {
    await site.submit({ uniqueid: 'named-1', cost: '', cots: '2.50', colour: 'red' });
    const id = await idOf(`uniqueid = 'named-1'`);
    const before = await site.deadJson<{ next_steps: string[] }>(['show', id]);
    expect(before.next_steps.join('\n')).toContain(`dead replay ${id} --rename cots=cost --why`);
    expect(await mend(id, { rename: ['cots=cost'], unset: ['colour'] })).toBe(1);
    expect(await site.deadJson(['replay', id])).toMatchObject({ resolved: 1 });
    expect(await storedAs('named-1')).toEqual([
      { scustomer: 1, cost: '2.5', submitted_by: 'switch', replayed_by: 'boss' },
    ]);
    expect(await site.deadJson(['show', id])).toMatchObject({
      call: { cots: '2.50', colour: 'red' },
      edits: { cots: null, cost: '2.50', colour: null },
      stored: { charged: '2.5', tax: '0', invoice: 10, customer_name: expect.any(String) },
      next_steps: ['Nothing: its call is stored.'],
      history: [
        { event: 'died' },
        { event: 'edited', by: 'boss', why: WHY, text: expect.stringContaining('cots: "2.50" → taken out') },
        { event: 'replayed' },
        { event: 'resolved' },
      ],
    });
  });

  it('is not corrected twice: what somebody else has corrected since stays', async () => {
    await site.submit({ uniqueid: 'twice-1', scustomer: 999 });
    const id = await idOf(`uniqueid = 'twice-1'`);
    const rows = await readReplayable(site.db.sql, [id]);
    const { corrections } = correctionsFor(rows, readCorrection({ set: ['scustomer=1'] }));
    expect(await mend(id, { set: ['note=first'] })).toBe(1);
    const by = { by: 'auditor', why: null, program: 'console' as const };
    expect(await correctDeadLetters(site.db.sql, corrections, by)).toEqual(new Set());
  });
});

describe('a body that cannot be read', () => {
  const broken = (uniqueid: string) =>
    `{"auth_username": "switch", "auth_password" : "${PASSWORD}" , "uniqueid": "${uniqueid}", "scustomer": 1, "cost": 7`;

  it('is replaced by text, with a blank after the colon of its password or not, and stored', async () => {
    await site.client.submit({ body: broken('text-1') });
    const id = await idOf(`uniqueid = 'text-1'`);
    expect(await site.deadJson(['show', id])).toMatchObject({ scustomer: 1, cost: '7', verified: false });
    const body = `{"auth_username":"switch","auth_password":"${PASSWORD}","uniqueid":"text-1","scustomer":1,"machine":"m","start":5,"cost":"3"}`;
    expect(await mend(id, { body })).toBe(1);
    expect(await site.deadJson(['replay', id, '--unverified'])).toMatchObject({ resolved: 1 });
    expect(await storedAs('text-1')).toEqual([
      { scustomer: 1, cost: '3', submitted_by: 'boss', replayed_by: 'boss' },
    ]);
    const shown = await site.dead(['show', id]);
    expect(shown.stdout).toContain('the body was replaced by an operator');
    expect(shown.stdout).toContain('The body as it came:');
    expect(shown.stdout).toContain('body replaced');
  });

  it('gets the uniqueid of its text, by which the stored call is found', async () => {
    await site.client.submit({ body: '{"machine":"m-text-2",' });
    const id = await idOf(`machine = 'm-text-2'`);
    await mend(id, { body: 'uniqueid=text-2;machine=m;start=5;scustomer=1;cost=4' });
    expect(await site.deadJson(['replay', id, '--unverified'])).toMatchObject({ resolved: 1 });
    expect(await site.deadJson(['show', id])).toMatchObject({
      status: 'resolved',
      stored: { call: { uniqueid: 'text-2' }, charged: '4' },
    });
  });

  it('is not sent as it was read, if somebody has replaced it since', async () => {
    await site.client.submit({ body: '{"machine":"m-text-3",' });
    const id = await idOf(`machine = 'm-text-3'`);
    await mend(id, { body: '{"uniqueid":"text-3"}' });
    const [row] = await readReplayable(site.db.sql, [id]);
    if (row === undefined) throw new Error('no such dead letter');
    const { mark } = nextAttempt(row, newToken());
    await site.db.execute(`update dead_letters set mended_body = '{"uniqueid":"text-4"}' where id = ${id}`);
    expect(await markAsBoss(site.db.sql, [mark])).toEqual(new Set());
  });

  it('leaves its password nowhere', async () => {
    const kept = await site.db.rows(
      `select concat(d.body, d.mended_body, d.edits, d.properties, (select string_agg(e.detail::text, '') from
       dead_letter_events e where e.dead_letter = d.id)) as text from dead_letters d`,
    );
    expect(kept.length).toBeGreaterThan(3);
    expect(kept.filter(({ text }) => text?.includes(PASSWORD))).toEqual([]);
  });
});

describe('a call that an operator’s own trigger refuses', () => {
  it('says so in the words of the trigger, to operators and not to the switch', async () => {
    await site.db.execute(`create function refuse() returns trigger language plpgsql as $$
      begin raise exception 'boom: no calls on holidays'; end $$`);
    await site.db.execute(`create trigger refuse before insert on cdrs for each row when (new.uniqueid = 'boom-1')
      execute function refuse()`);
    const reply = await site.client.submit({
      body: JSON.stringify({
        ...{ auth_username: 'switch', auth_password: PASSWORD, uniqueid: 'boom-1', machine: 'm' },
        ...{ start: 5, scustomer: 1, cost: '1' },
      }),
    });
    expect(JSON.stringify(reply.responses)).not.toContain('boom: no');
    expect(reply.responses).toMatchObject([
      { code: '400', key: '', message: expect.stringContaining('kept') },
    ]);
    const id = await idOf(`uniqueid = 'boom-1'`);
    const { stdout } = await site.dead(['show', id]);
    expect(stdout).toMatch(/error: .*boom: no calls on holidays \(SQLSTATE P0001\)/);
    await site.submit({ uniqueid: 'calm-1', scustomer: 999 });
    const calm = await idOf(`uniqueid = 'calm-1'`);
    await mend(calm, { set: ['scustomer=1'] });
    const dry = await site.dead(['replay', id, calm, '--dry-run', '--json']);
    expect(dry.code).toBe(1);
    expect(JSON.parse(dry.stdout).rows).toMatchObject([
      {
        becomes: 'failed',
        responses: [{ code: '400', message: expect.stringContaining('boom: no calls on holidays') }],
      },
      { becomes: 'accepted', charged: '1.5' },
    ]);
    await site.db.execute('drop trigger refuse on cdrs');
    expect(await site.deadJson(['replay', id])).toMatchObject({ resolved: 1 });
  });
});
