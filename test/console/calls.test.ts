import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConsoleSite, openConsole, readable } from '../support/console.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;
let site: ConsoleSite;

beforeAll(async () => {
  db = await billingDatabase('console-calls');
  site = await openConsole(db);
  await db.execute(`update customers set name = 'Harbour <Hotel>' where id = 1`);
  const calls = Array.from({ length: 60 }, (_, n) => ({
    ...{ uniqueid: `list-${n}`, scustomer: 2, start: 1_700_000_000 + n, cost: '0.35', currency: 'EUR' },
    ...{ snumber: '+31205550100', cnumber: '020 7946 0000', dnumber: '+442079460000' },
  }));
  const story = {
    ...{
      uniqueid: 'a/b?c=1',
      cost: '10',
      taxes: '1,2,3',
      currency: 'USD',
      callid: 'leg-7',
      end: 1_700_003_725,
    },
    ...{ snumber: '+4420794600', cnumber: '555' },
  };
  await db.persist([...calls, story]);
  await db.execute(`insert into dead_letters (reason, status, uniqueid, body, digest, closed_at, responses, first_dead_at) values
    ('rejected', 'resolved', 'a/b?c=1', '{}', '\\x01', now(), '[{"code": "400", "key": "scustomer", "message": "no"}]', now() - interval '1 hour')`);
}, 300_000);

afterAll(async () => {
  await site?.close();
  await db?.drop();
});

describe('the search for stored calls', () => {
  it('says what it needs, refuses what would read every call, and keeps what was typed', async () => {
    const boss = await site.signIn('boss');
    expect(await boss.read('/calls')).toContain(
      'Give a uniqueid, a callid, a customer, an invoice or a span of time',
    );
    const refused = await boss.get('/calls?machine=m-1&charged=1..5');
    expect(refused.status).toBe(400);
    const markup = await refused.text();
    expect(readable(markup)).toContain(
      'since: expected a time, such as 7d or 2026-03-01, where no uniqueid, callid, customer or invoice is given',
    );
    expect(markup).toContain('name="charged" value="1..5"');
  });

  it('lists what matches, page by page, with what was charged', async () => {
    const viewer = await site.signIn('auditor');
    const first = await (await viewer.get('/calls?customer=2&number=%2B44+20+7946+0000')).text();
    expect(first.match(/href="\/call\?uniqueid=list-/g)).toHaveLength(50);
    expect(readable(first)).toContain('list-59');
    expect(readable(first)).toContain('0.35 EUR');
    const [, next = ''] = /href="([^"]*)" rel="next"/.exec(first) ?? [];
    const second = await (await viewer.get(next.replaceAll('&amp;', '&'))).text();
    expect(second.match(/href="\/call\?uniqueid=list-/g)).toHaveLength(10);
    expect(second).not.toContain('rel="next"');
    expect(await viewer.read('/calls?customer=2&corrected=1')).toContain('No stored call matches.');
    for (const wrong of ['after=x', 'after=1,%00', 'machine=%00', 'number=%00', 'since=soon', 'charged=x'])
      expect((await viewer.get(`/calls?customer=2&${wrong}`)).status).toBe(400);
    expect((await viewer.get('/call?uniqueid=%00')).status).toBe(400);
  });

  it('leads to the dead letters where nothing is stored', async () => {
    const boss = await site.signIn('boss');
    const markup = await (await boss.get('/calls?uniqueid=nobody')).text();
    expect(readable(markup)).toContain('No stored call matches.');
    expect(markup).toContain('href="/dead-letters/list?search=nobody&amp;status="');
    expect((await boss.get('/call?uniqueid=nobody')).status).toBe(404);
  });
});

describe('the page of a stored call', () => {
  it('tells it from its first delivery on, with what was charged tax by tax', async () => {
    const viewer = await site.signIn('auditor');
    const path = `/call?uniqueid=${encodeURIComponent('a/b?c=1')}`;
    const markup = await (await viewer.get(path)).text();
    const text = readable(markup);
    expect(text).toContain('stored Charged 12.556329 USD to Harbour &lt;Hotel&gt; (1), on invoice 10.');
    expect(text).toContain('Duration 1 h 2 min 5 s');
    expect(text).toMatch(
      /VAT \(1\) 20 % 2\.00 USD levy \(2\) 0\.05 \(system\) 0\.05 USD fee \(3\) 0\.40 GBP 0\.506329 USD/,
    );
    expect(text).toContain('Invoice 10 (open), which gained 9.20 EUR and tax');
    expect(text).toMatch(
      /refused: rejected 400 scustomer \( dead letter \d+ \).* stored and charged switch .*dead letter \d+ resolved/,
    );
    expect(markup).toContain('<td role="cell" class="text"><span>leg-7</span></td>');
  });
});
