import { describe, expect, it } from 'vitest';
import { readCorrection, whyNeeded } from '../../src/dead-letters/correction.ts';
import { correctionSteps } from '../../src/dead-letters/correction-steps.ts';
import { whyNotSent, withCorrections } from '../../src/dead-letters/corrections.ts';
import { nextAttempt } from '../../src/dead-letters/message.ts';
import { readReplayHeader, tokenHashOf } from '../../src/domain/replay-header.ts';
import type { Replayable } from '../../src/store/dead-letters/mark.ts';

const TOKEN = 'A'.repeat(43);
const row: Replayable = {
  id: '7',
  reason: 'rejected',
  status: 'dead',
  uniqueid: 'u-1',
  scustomer: 9,
  source: null,
  operation: 'create',
  body: '{"auth_username":"switch","uniqueid":"u-1","scustomer":9,"cost":"1.50"}',
  mendedBody: null,
  properties: { routingKey: 'cdrs.create.m' },
  altered: [],
  edits: {},
  submittedBy: 'switch',
  verified: true,
  replays: 2,
  seen: '',
};
const sent = (change: Partial<Replayable>) => nextAttempt({ ...row, ...change }, TOKEN).message;

describe('the next attempt of a dead letter', () => {
  it('has a replay header whose token hash matches its body', () => {
    const { mark, message } = nextAttempt(row, TOKEN);
    expect(readReplayHeader(message.replayHeader)).toEqual({ deadLetter: '7', attempt: 3, token: TOKEN });
    expect(mark).toMatchObject({ id: '7', replays: 2, tokenHash: tokenHashOf(TOKEN, message.body) });
  });

  it('has the call with its corrections and without credentials', () => {
    const { body, contentType } = sent({ edits: { scustomer: '2', note: 'moved' } });
    expect(JSON.parse(body.toString())).toEqual({
      uniqueid: 'u-1',
      scustomer: '2',
      cost: '1.50',
      note: 'moved',
    });
    expect(contentType).toBe('application/json');
  });

  it('has the body that an operator wrote in place of the one that came', () => {
    const { body, contentType } = sent({ body: 'garbage', altered: [''], mendedBody: '{"uniqueid":"u-1"}' });
    expect([body.toString(), contentType]).toEqual(['{"uniqueid":"u-1"}', 'application/json']);
  });

  it('is without what was taken out', () => {
    const { body } = sent({ edits: { cost: null } });
    expect(JSON.parse(body.toString())).toEqual({ uniqueid: 'u-1', scustomer: 9 });
  });

  it('is JSON, whatever format was received', () => {
    const properties = { contentType: 'application/x-www-form-urlencoded', routingKey: 'cdrs.create' };
    const { body, contentType } = sent({ body: '{"uniqueid":"u-1","machine":"a b"}', properties });
    expect(JSON.parse(body.toString())).toEqual({ uniqueid: 'u-1', machine: 'a b' });
    expect(contentType).toBe('application/json');
  });

  it('omits the masked password', () => {
    const { body } = sent({ body: '{"uniqueid":"u-1","auth_password":"***","machine":"m"}' });
    expect(JSON.parse(body.toString())).toEqual({ uniqueid: 'u-1', machine: 'm' });
  });

  it('is refused if parts were masked or cut, unless an operator sets all of them', () => {
    const why = (change: Partial<Replayable>) => whyNotSent({ ...row, ...change });
    const edits = { note: 'x' };
    expect(why({})).toBeNull();
    expect(why({ altered: [''], edits })).toContain('have its sender send it again');
    expect(why({ altered: ['note', 'recording'], edits })).toBe(
      'recording was masked or cut and must be corrected first',
    );
    expect(why({ altered: ['note'], edits })).toBeNull();
    expect(why({ altered: ['note'], edits: { note: null } })).toBeNull();
    expect(why({ altered: [''], mendedBody: '{}' })).toBeNull();
    expect(why({ status: 'resolved' })).toBe('status is resolved');
  });

  it('is sent as received if it cannot be read', () => {
    const properties = { contentType: 'text/plain', routingKey: 'cdrs.create' };
    expect(sent({ body: '{"uniqueid":', properties })).toMatchObject({
      body: Buffer.from('{"uniqueid":'),
      contentType: 'text/plain',
    });
  });

  it('is answered where the switch first asked, with the correlation id of the first reply', () => {
    expect(sent({})).toMatchObject({ replyTo: null, correlationId: 'u-1' });
    expect(sent({ properties: { messageId: 'm-1', replyTo: 'cdrs.reply.x' } })).toMatchObject({
      replyTo: 'cdrs.reply.x',
      correlationId: 'm-1',
    });
    expect(sent({ properties: { correlationId: 'c-1', messageId: 'm-1' } })).toMatchObject({
      correlationId: 'c-1',
    });
  });

  it('keeps its trace, and a routing key that leads to the queue', () => {
    expect(sent({})).toMatchObject({ routingKey: 'cdrs.create.m' });
    expect(sent({ properties: { routingKey: 'cdr.create' } })).toMatchObject({ routingKey: 'cdrs.create' });
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    expect(sent({ properties: { traceparent } })).toMatchObject({ traceparent });
    expect(sent({})).not.toHaveProperty('traceparent');
  });
});

describe('a dead letter of a correction', () => {
  const update: Partial<Replayable> = {
    operation: 'update',
    body: '{"uniqueid":"u-1","cots":"2","time":"3"}',
    properties: { routingKey: 'cdrs.update.shop', messageId: 'shop-1' },
  };

  it('is sent again as what it is, with the id that its entry gets', () => {
    expect(sent(update)).toMatchObject({ routingKey: 'cdrs.update.shop', messageId: 'shop-1' });
    expect(sent({ ...update, properties: { messageId: 'x#reversal' } })).toMatchObject({
      routingKey: 'cdrs.update',
      messageId: 'dead-letter-7',
    });
    expect(sent({ ...update, operation: 'void', properties: {} })).toMatchObject({
      routingKey: 'cdrs.void',
      messageId: 'dead-letter-7',
    });
    expect(sent({}).messageId).toBeNull();
  });

  it('can be corrected in what its own contract has, and is left alone for anything else', () => {
    const corrected = (text: Parameters<typeof readCorrection>[0], change: Partial<Replayable> = update) => {
      const { rows, skipped } = withCorrections([{ ...row, ...change }], readCorrection(text));
      return skipped[0]?.why ?? rows[0]?.edits;
    };
    expect(corrected({ set: ['customer=2', 'taxes='], rename: ['cots=cost'], unset: ['time'] })).toEqual({
      ...{ cots: null, cost: '2', time: null, customer: '2', taxes: '' },
    });
    expect(corrected({ set: ['scustomer=2'] })).toBe(
      'cdrs/update has no parameter scustomer that can be corrected',
    );
    expect(corrected({ set: ['uniqueid=u-2'] })).toContain('uniqueid');
    expect(corrected({ set: ['cost=1'] }, { ...update, operation: 'void' })).toContain('cdrs/void');
    expect(corrected({ set: ['customer=2'] }, {})).toContain('cdrs/create');
    expect(() => readCorrection({ set: ['customer=x'] })).toThrow('customer');
    expect(whyNeeded(readCorrection({ set: ['customer=2'] }))).toEqual(['customer']);
  });

  it('says what can be done about its reply', () => {
    const steps = (code: '400' | '404', key: string) =>
      correctionSteps(
        { id: 7, operation: 'update', uniqueid: 'u-1', responses: [{ code, key, message: '' }] },
        (options = '') => `replay 7 ${options}`.trim(),
      ).join(' ');
    expect(steps('404', 'uniqueid')).toBe('No call u-1 is stored. When it has come: replay 7');
    expect(steps('400', 'uniqueid')).toContain('call show u-1');
    expect(steps('400', 'message_id')).toContain('dead-letter-7');
    expect(steps('400', 'customer')).toBe('Correct customer: replay 7 --set customer=VALUE --why "…"');
    expect(steps('400', 'scustomer')).toContain('--unset NAME');
  });
});
