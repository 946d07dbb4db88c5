import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { discardDeadLetters } from '../../src/store/dead-letters/close.ts';
import { type ConsoleSite, fieldsOf, openConsole, readable, type Visitor } from '../support/console.ts';
import { type BillingDatabase, billingDatabase, type Parameters } from '../support/persisting.ts';

let db: BillingDatabase;
let site: ConsoleSite;
let boss: Visitor;
let auditor: Visitor;

beforeAll(async () => {
  db = await billingDatabase('console-lists');
  await db.execute(`insert into customers (id, name, currency) values (77, 'Old Mill Hotel', 'EUR')`);
  site = await openConsole(db);
  [boss, auditor] = [await site.signIn('boss'), await site.signIn('auditor')];
});

afterAll(async () => {
  await site?.close();
  await db?.drop();
});

beforeEach(async () => {
  await db.execute('truncate dead_letters, dead_letter_events, activity');
});

/** Calls of a customer who does not exist. */
const refused = (uniqueid: string, parameters: Parameters = {}): Parameters => ({
  uniqueid,
  scustomer: 900,
  cost: '2.5',
  ...parameters,
});
const forged = (uniqueid: string): Parameters => refused(uniqueid, { auth_password: 'wrong', cost: '999' });

/** Uniqueids of the rows of a list, in their order. */
async function listed(path: string, visitor = boss): Promise<string[]> {
  const markup = await (await visitor.get(path)).text();
  return [...markup.matchAll(/data-label="uniqueid"><span>([^<]*)</g)].map(([, uniqueid = '']) => uniqueid);
}

async function idsOf(...uniqueids: string[]): Promise<string[]> {
  const rows = await db.rows(`select id::text, uniqueid from dead_letters`);
  return uniqueids.map((uniqueid) => rows.find((row) => row.uniqueid === uniqueid)?.id ?? '');
}

const statuses = async () =>
  (await db.rows(`select uniqueid || ' ' || status as row from dead_letters order by uniqueid`)).map(
    ({ row }) => row,
  );

describe('the first page of dead letters', () => {
  it('groups the open ones by reason and parameter, with count, money at stake and age', async () => {
    await db.persist([refused('a'), refused('b'), refused('c', { scustomer: 1, peer: 9, cost: '1' })]);
    await db.persist([forged('f')]);
    await db.execute(`update dead_letters set last_dead_at = now() - interval '3 hours',
      first_dead_at = now() - interval '2 days' where uniqueid = 'a'`);
    const said = await boss.read('/dead-letters');
    expect(said).toContain('4 dead letters open; money at stake: 6.00 USD not counting 1 of unknown senders');
    expect(said).toMatch(/rejected: scustomer 2 5\.00 USD 1 2 /);
    expect(said).toMatch(/rejected: peer 1 1\.00 USD 1 1 /);
    expect(said).toMatch(/unauthenticated/);
  });

  it('opens a group into exactly its dead letters', async () => {
    await db.persist([refused('a'), refused('b', { scustomer: 1, peer: 9 }), refused('c', { peer: 9 })]);
    const markup = await (await boss.get('/dead-letters')).text();
    const link = /href="([^"]*answer_key=peer)"/.exec(markup)?.[1]?.replaceAll('&amp;', '&') ?? '';
    // The reply to c names the customer first.
    expect(await listed(link)).toEqual(['b']);
    expect((await listed('/dead-letters?reason=rejected&key=peer')).sort()).toEqual(['b', 'c']);
  });

  it('says so when none is open', async () => {
    expect(await boss.read('/dead-letters')).toContain('No dead letter is open.');
  });
});

describe('a list', () => {
  it('finds by number, callid, id and a part of the customer’s name, whatever the status', async () => {
    await db.persist([
      refused('a', { snumber: '+49301', callid: 'SIP-1' }),
      refused('b', { scustomer: 77, peer: 9 }),
    ]);
    await discardDeadLetters(db.sql, {}, { by: 'boss', why: 'tests', program: 'command' });
    const search = (text: string) => listed(`/dead-letters/list?status=&search=${encodeURIComponent(text)}`);
    expect(await search(' sip-1 ')).toEqual(['a']);
    expect(await search('+49301')).toEqual(['a']);
    expect(await search('old mill')).toEqual(['b']);
    expect(await search((await idsOf('b'))[0] ?? '')).toEqual(['b']);
    expect(await search('nowhere')).toEqual([]);
    expect(await listed('/dead-letters/list?search=sip-1')).toEqual([]);
    expect(await boss.read('/dead-letters/list?search=sip-1')).toContain('None is open.');
  });

  it('shows customers by name, amounts with the digits of their currency, and who is not verified', async () => {
    await db.persist([refused('b', { scustomer: 77, peer: 9 }), forged('f')]);
    const said = await boss.read('/dead-letters/list');
    expect(said).toMatch(/b Old Mill Hotel \(77\).*400 peer 2\.50 USD/);
    expect(said).toMatch(/999\.00 USD sender unknown/);
  });

  it('is sorted as asked, on all its pages', async () => {
    await db.persist(
      Array.from({ length: 120 }, (_, n) => refused(`u-${n}`, { cost: `${(n * 37) % 120}.5` })),
    );
    let path = '/dead-letters/list?sort=cost';
    const seen: string[] = [];
    for (;;) {
      seen.push(...(await listed(path)));
      const markup = await (await boss.get(path)).text();
      const next = /href="([^"]*)" rel="next"/.exec(markup)?.[1];
      if (next === undefined) break;
      path = next.replaceAll('&amp;', '&');
    }
    const byCost = Array.from({ length: 120 }, (_, n) => n).sort(
      (a, b) => ((b * 37) % 120) - ((a * 37) % 120),
    );
    expect(seen).toEqual(byCost.map((n) => `u-${n}`));
    expect(await boss.read(path)).toContain('First page');
  });

  it('shows a viewer the same without anything that acts', async () => {
    await db.persist([refused('a')]);
    expect(await listed('/dead-letters/list', auditor)).toEqual(['a']);
    const markup = await (await auditor.get('/dead-letters/list')).text();
    expect(markup).not.toMatch(/type="checkbox"|formaction|action="\/(discard|dry-run|replay)/);
    for (const path of ['/discard', '/discard/confirm', '/reopen', '/reopen/confirm', '/replay/ask'])
      expect((await auditor.post(path, { id: (await idsOf('a'))[0] ?? '' })).status).toBe(403);
  });
});

describe('discarding', () => {
  const ask = async (fields: Record<string, string> | [string, string][]) =>
    await (await boss.post('/discard', fields)).text();
  const confirm = (shown: string, fields: [string, string][] = [['why', 'tests of the switch']]) =>
    boss.post('/discard/confirm', [...fieldsOf(shown, '/discard/confirm'), ...fields]);

  it('shows count, customers and money first, and changes nothing', async () => {
    await db.persist([refused('a'), refused('b', { scustomer: 77, peer: 9, currency: 'EUR' }), forged('f')]);
    const said = readable(await ask({ scope: 'all' }));
    expect(said).toContain('Discard 3 dead letters?');
    expect(said).toContain('Money at stake 2.50 EUR, 2.50 USD not counting 1 of unknown senders');
    expect(said).toContain('1 dead letter comes from senders who are not verified');
    expect(said).toMatch(/Old Mill Hotel \(77\) 1 2\.50 EUR/);
    expect(await statuses()).toEqual(['a dead', 'b dead', 'f dead']);
  });

  it('then discards exactly that, not what died meanwhile, and can be undone alone', async () => {
    await db.persist([refused('before')]);
    await discardDeadLetters(db.sql, {}, { by: 'boss', why: 'earlier', program: 'command' });
    await db.persist([refused('a'), refused('b')]);
    const shown = await ask({ scope: 'all', reason: 'rejected', back: '/dead-letters/list?reason=rejected' });
    await db.persist([refused('c')]);
    const answer = await confirm(shown);
    expect(answer.status).toBe(303);
    expect(await statuses()).toEqual(['a discarded', 'b discarded', 'before discarded', 'c dead']);
    const result = await (await boss.get(answer.headers.get('location') ?? '')).text();
    const later = (await (await boss.get('/activity')).text()).match(/\/discarded\?closed_at=[^"]*/g) ?? [];
    expect(await boss.read(later[0] ?? '')).toContain('Discarded: 2 dead letters');
    expect(readable(result)).toContain('Discarded: 2 dead letters');
    const undone = await boss.post('/reopen/confirm', fieldsOf(result, '/reopen/confirm'));
    expect(undone.headers.get('location')).toBe('/dead-letters/list?reason=rejected&reopened=2');
    expect(await boss.read('/dead-letters/list?reason=rejected&reopened=2')).toContain('Opened again: 2.');
    expect(await statuses()).toEqual(['a dead', 'b dead', 'before discarded', 'c dead']);
    expect(
      await db.rows(`select who, act, program, detail ->> 'why' as why from activity order by id`),
    ).toEqual([
      { who: 'boss', act: 'discarded', program: 'command', why: 'earlier' },
      { who: 'boss', act: 'discarded', program: 'console', why: 'tests of the switch' },
      { who: 'boss', act: 'reopened', program: 'console', why: 'undone' },
    ]);
  });

  it('does nothing if they have changed since, shows what it would be now, and goes on from there', async () => {
    await db.persist([refused('a'), refused('b')]);
    const shown = await ask({ scope: 'all' });
    await db.execute(`update dead_letters set status = 'replaying', replays = 1 where uniqueid = 'a'`);
    const answer = await confirm(shown);
    expect(answer.status).toBe(409);
    const again = await answer.text();
    expect(readable(again)).toMatch(/changed since they were shown: nothing was discarded/);
    expect(readable(again)).toContain('Discard 1 dead letter?');
    expect(readable(again)).toContain('1 dead letter more is selected and stays as it is');
    expect(again).toContain('value="tests of the switch"');
    expect(await statuses()).toEqual(['a replaying', 'b dead']);
    expect((await confirm(again)).status).toBe(303);
    expect(await statuses()).toEqual(['a replaying', 'b discarded']);
  });

  it('asked for twice, or in two tabs, happens once', async () => {
    await db.persist([refused('a')]);
    const [one, two] = [await ask({ scope: 'all' }), await ask({ scope: 'all' })];
    const both = await Promise.all([confirm(one), confirm(two)]);
    expect(both.map(({ status }) => status).sort()).toEqual([303, 409]);
    const late = both.find(({ status }) => status === 409);
    expect(readable((await late?.text()) ?? '')).toContain('Nothing to discard');
    expect(await db.rows(`select event from dead_letter_events`)).toEqual([{ event: 'discarded' }]);
  });

  it('needs a reason, and to have been shown', async () => {
    await db.persist([refused('a')]);
    const shown = await ask({ scope: 'all' });
    const without = await confirm(shown, [['why', '  ']]);
    expect([without.status, readable(await without.text())]).toEqual([
      400,
      expect.stringContaining('Nothing was discarded: say why.'),
    ]);
    expect((await boss.post('/discard/confirm', { why: 'because' })).status).toBe(409);
    expect(await statuses()).toEqual(['a dead']);
  });

  it('takes the ticked rows, the page or the whole selection, as it says', async () => {
    await db.persist([refused('a'), refused('b'), refused('c')]);
    const [a = '', b = ''] = await idsOf('a', 'b');
    const titleOf = async (fields: [string, string][]) => readable(await ask(fields)).slice(0, 24);
    const page: [string, string] = ['page_ids', `${a},${b}`];
    expect(await titleOf([['scope', 'ticked'], ['tick', a], page])).toBe('Discard 1 dead letter? D');
    expect(await titleOf([['scope', 'page'], ['tick', a], page])).toBe('Discard 2 dead letters? ');
    expect(await titleOf([['scope', 'all'], ['tick', a], page])).toBe('Discard 3 dead letters? ');
    expect(readable(await ask([['scope', 'ticked'], page]))).toContain('No dead letter is ticked.');
  });

  it('for good is for good', async () => {
    await db.persist([refused('a')]);
    const fields: [string, string][] = [
      ['why', 'tests'],
      ['for_good', '1'],
    ];
    expect((await confirm(await ask({ scope: 'all' }), fields)).status).toBe(303);
    expect(await db.rows(`select closed_for_good::text from dead_letters`)).toEqual([
      { closed_for_good: 'true' },
    ]);
  });

  it('leads back only within the console', async () => {
    await db.persist([refused('a')]);
    for (const back of [
      'https://evil.example/',
      '//evil.example',
      '/\\evil.example',
      'javascript:alert(1)',
      '/.//evil.example',
    ]) {
      const markup = await ask({ scope: 'all', back });
      expect(markup).not.toContain('evil');
      expect(markup).not.toContain('javascript:');
    }
  });
});

describe('a replay without a dry run', () => {
  it('shows first what it is about, and sends nothing if that has changed', async () => {
    await db.persist([refused('a'), refused('b'), forged('f')]);
    const shown = await (await boss.post('/replay/ask', { scope: 'all' })).text();
    expect(readable(shown)).toContain('Replay 2 dead letters without a dry run?');
    expect(readable(shown)).toContain('1 dead letter more selected. Not replayed:');
    await db.execute(`update dead_letters set edits = '{"note":"x"}' where uniqueid = 'a'`);
    const answer = await boss.post('/replay', fieldsOf(shown, '/replay'));
    expect([answer.status, readable(await answer.text())]).toEqual([
      400,
      expect.stringContaining('changed since they were shown'),
    ]);
    expect(await statuses()).toEqual(['a dead', 'b dead', 'f dead']);
  });
});

describe('the export of a list', () => {
  it('is what the list selects, for spreadsheets, for viewers as well, and on record', async () => {
    await db.persist([refused('0123.40'), refused('b', { scustomer: 77, peer: 9 })]);
    const answer = await auditor.get('/dead-letters.csv?key=scustomer');
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="dead-letters.csv"');
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect(bytes.subarray(0, 3).toString('hex')).toBe('efbbbf');
    const [head = '', row = '', end] = bytes.toString('utf8').slice(1).split('\r\n');
    expect(head).toMatch(/^id,reason,status,start,/);
    expect(row).toContain(",'0123.40,");
    expect(end).toBe('');
    expect(await db.rows(`select who, act, detail #>> '{filter,key}' as key from activity`)).toEqual([
      { who: 'auditor', act: 'exported', key: 'scustomer' },
    ]);
  });

  it('of many is sent as it is read, and a reader who goes away ends it', async () => {
    await db.execute(`insert into dead_letters (reason, uniqueid, body, digest)
      select 'rejected', 'u-' || n, repeat('x', 2000), sha256(('d-' || n)::bytea) from generate_series(1, 5000) n`);
    const gone = new AbortController();
    const begun = await fetch(`${site.origin}/dead-letters.csv`, {
      headers: { cookie: boss.cookie },
      signal: gone.signal,
    });
    await begun.body?.getReader().read();
    gone.abort();
    const text = await (await boss.get('/dead-letters.csv')).text();
    expect(text.trimEnd().split('\r\n').length).toBe(5_001);
    expect(site.process.output()).not.toMatch(/premature/i);
  });
});

describe('a link into the console', () => {
  const path = '/dead-letters/list?reason=rejected&key=cots';

  it('survives signing in', async () => {
    const asked = await fetch(`${site.origin}${path}`, { redirect: 'manual' });
    const to = asked.headers.get('location') ?? '';
    expect(to).toBe(`/sign-in?${new URLSearchParams({ next: path }).toString()}`);
    const form = await (await fetch(`${site.origin}${to}`)).text();
    const fields = {
      ...Object.fromEntries(fieldsOf(form, '/sign-in')),
      username: 'boss',
      password: 'right-canary-7',
    };
    const entered = await fetch(`${site.origin}/sign-in`, {
      method: 'POST',
      body: new URLSearchParams(fields),
      redirect: 'manual',
    });
    expect(entered.headers.get('location')).toBe(path);
  });

  it.each([
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    '/.//evil.example',
    'x',
    '',
  ])('does not lead elsewhere: %j', async (next) => {
    const entered = await fetch(`${site.origin}/sign-in`, {
      method: 'POST',
      body: new URLSearchParams({ username: 'boss', password: 'right-canary-7', next }),
      redirect: 'manual',
    });
    expect(entered.headers.get('location')).toBe('/');
  });

  it('and a form say that a session has ended, and lead back to the page afterwards', async () => {
    const visitor = await site.signIn('auditor');
    await db.execute(
      `update console_sessions set last_seen_at = now() - interval '61 minutes' where username = 'auditor'`,
    );
    const asked = await visitor.get(path);
    const to = asked.headers.get('location') ?? '';
    expect(await visitor.read(to)).toContain(
      'Your session has ended. Sign in again to go on where you were.',
    );
    const sent = await fetch(`${site.origin}/discard`, {
      method: 'POST',
      body: new URLSearchParams({ scope: 'all' }),
      headers: { cookie: visitor.cookie, referer: `${site.origin}${path}` },
      redirect: 'manual',
    });
    expect(sent.headers.get('location')).toBe(
      `/sign-in?${new URLSearchParams({ next: path, ended: '1' }).toString()}`,
    );
    auditor = await site.signIn('auditor');
  });
});
