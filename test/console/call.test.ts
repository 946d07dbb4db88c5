import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callOf, type OperatorSite, openOperatorSite, PASSWORD } from '../support/operators.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

let site: OperatorSite;
let consoleProcess: WorkerProcess;
let origin: string;
let cookie: string;

beforeAll(async () => {
  site = await openOperatorSite('console-call');
  const { CDR_USERNAME, CDR_PASSWORD, ...services } = site.environment;
  consoleProcess = await startProcess(['console'], { ...services, CONSOLE_PORT: '0' });
  origin = `http://127.0.0.1:${await consoleProcess.port()}`;
  const body = new URLSearchParams({ username: 'boss', password: PASSWORD });
  const answer = await fetch(`${origin}/sign-in`, { method: 'POST', body, redirect: 'manual' });
  cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  await site.db.execute(`update customers set name = 'Harbour <Hotel>' where id = 1`);
}, 300_000);

afterAll(async () => {
  await consoleProcess?.stop();
  await site?.close();
});

/** The page of the last dead letter of this uniqueid, its markup as text. */
async function pageOf(uniqueid: string): Promise<{ text: string; markup: string; id: string }> {
  const ids = await site.ids(`uniqueid = '${uniqueid}'`);
  const id = ids.at(-1) ?? '';
  const markup = await (await fetch(`${origin}/dead-letters/${id}`, { headers: { cookie } })).text();
  const text = markup.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
  return { text, markup, id };
}

describe('the page of one call', () => {
  it('says when, how long, who and how much, as people say it', async () => {
    await site.submit({
      ...{ uniqueid: 'story-1', start: 1_700_000_000, end: 1_700_003_725, cost: '1.5', currency: 'EUR' },
      ...{ snumber: '+4420794600', cnumber: '555', callid: 'leg-7', colour: 'blue' },
    });
    const { text, markup } = await pageOf('story-1');
    expect(text).toContain('Customer Harbour &lt;Hotel&gt; (1)');
    expect(markup).toContain('href="/dead-letters/list?customer=1"');
    expect(text).toContain('Cost 1.50 EUR');
    expect(markup).toContain('<time datetime="2023-11-14T22:13:20.000Z">2023-11-14 22:13:20</time>');
    expect(text).toContain('Duration 1 h 2 min 5 s');
    expect(text).toContain('From number +4420794600 Called number 555');
    expect(text).toContain('Callid leg-7');
    expect(text).toContain('sent by switch, 1 death, 0 replays');
  });

  it('says what can be done next, with the command that does it', async () => {
    await site.submit({ uniqueid: 'story-2', cost: undefined, cots: '1' });
    const { markup, id } = await pageOf('story-2');
    expect(markup).toContain(
      `<code>cdr-ingest dead replay ${id} --rename cots=cost --why &quot;…&quot;</code>`,
    );
    expect(markup).toContain(`href="/dead-letters/${id}/correct"`);
    expect(markup).toMatch(/<button class="main">Dry run<\/button>/);
  });

  it('shows a conflict beside the stored call, what that was charged, and where they differ', async () => {
    await site.submit({ uniqueid: 'story-3', cost: '2.25' });
    await site.submit({ uniqueid: 'story-3', cost: '3' });
    const { text, markup } = await pageOf('story-3');
    expect(text).toContain('It differs in cost.');
    expect(text).toMatch(
      /Sent by switch Customer Harbour &lt;Hotel&gt; \(1\) Cost 2\.25 USD Tax 0\.00 USD Charged 2\.25 /,
    );
    expect(markup).toMatch(
      /<tr class="differs"><th scope="row">.*cost<\/span><\/th>\s*<td data-label="received"><span>[^<]*3[^<]*<\/span><\/td><td data-label="stored"><span>[^<]*2\.25/,
    );
  });

  it('says which routing key an unroutable call was sent with', async () => {
    await site.client.submitTo('cdrs.craete', { body: JSON.stringify(callOf({ uniqueid: 'story-4' })) });
    const { text } = await pageOf('story-4');
    expect(text).toContain('Routing key cdrs.craete');
    expect(text).toContain('A replay sends it to cdrs.create');
  });

  it('says that an unverified sender only claims to be one, and asks for somebody to vouch', async () => {
    await site.submit({ uniqueid: 'story-5', auth_password: 'wrong-canary', cost: '999' });
    const { text, markup } = await pageOf('story-5');
    expect(text).toContain('claims to be switch');
    expect(text).toContain('not counted as money at stake');
    expect(text).not.toContain('sent by switch');
    expect(markup).toContain('name="unverified" value="1" required');
    expect(markup).not.toContain('canary');
  });

  it('keeps a body that cannot be read in sight, without what may be a password', async () => {
    await site.client.submit({ body: '{"uniqueid":"story-6", broken <b>, "auth_password": "stolen-canary"' });
    const { markup } = await pageOf('story-6');
    expect(markup).toMatch(/<details open><summary>The body as it was received<\/summary>/);
    expect(markup).toContain('broken &lt;b&gt;');
    expect(markup).not.toContain('canary');
  });

  it('offers to reopen what is discarded, and nothing for what is resolved', async () => {
    await site.submit({ uniqueid: 'story-7', scustomer: 999 });
    const [id = ''] = await site.ids(`uniqueid = 'story-7'`);
    await site.dead(['discard', id, '--why', 'a test', '--yes']);
    const discarded = await pageOf('story-7');
    expect(discarded.markup).toContain('action="/reopen"');
    expect(discarded.markup).not.toContain('action="/dry-run"');
    expect(discarded.text).toMatch(/discarded boss a test/);
    await site.submit({ uniqueid: 'story-8', scustomer: 999 });
    const [other = ''] = await site.ids(`uniqueid = 'story-8'`);
    await site.dead(['replay', other, '--set', 'scustomer=1', '--why', 'moved']);
    const resolved = await pageOf('story-8');
    expect(resolved.text).toContain('Nothing: its call is stored.');
    expect(resolved.markup).not.toMatch(/action="\/(reopen|dry-run|discard)"/);
  });

  it('is none for an unknown number', async () => {
    for (const path of ['/dead-letters/999999', '/dead-letters/999999/correct'])
      expect((await fetch(`${origin}${path}`, { headers: { cookie } })).status).toBe(404);
  });
});
