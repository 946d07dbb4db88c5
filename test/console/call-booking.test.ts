import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tabTo, violationsOn } from '../support/access.ts';
import { openBrowser } from '../support/browser.ts';
import { type ConsoleSite, fieldsOf, openConsole, readable, type Visitor } from '../support/console.ts';
import { type OperatorSite, openOperatorSite, PASSWORD } from '../support/operators.ts';

/** Tab stops from the top of a page to what it is for. */
const STOPS = 25;
const MANY_PAGES_MS = 240_000;

let site: OperatorSite;
let consoleSite: ConsoleSite;
let boss: Visitor;
let browser: Browser;

beforeAll(async () => {
  site = await openOperatorSite('console-call-booking');
  consoleSite = await openConsole(site.db);
  boss = await consoleSite.signIn('boss');
  await site.db.execute(`update customers set name = 'Harbour Hotel' where id = 1`);
}, 300_000);

afterAll(async () => {
  await browser?.close();
  await consoleSite?.close();
  await site?.close();
});

const entriesOf = (uniqueid: string) =>
  site.db.rows(`select kind, trim_scale(charged)::text as charged, booked_by, why from corrections
    where uniqueid = '${uniqueid}' order by booked_at, kind desc`);

/** The form of the page that says what would move, as a browser would send it. */
async function shown(markup: string, why: string): Promise<[string, string][]> {
  expect(readable(markup)).toMatch(/^(Void|Correct) this call\?/);
  return [...fieldsOf(markup, '/call/book'), ['why', why]];
}
const voiding = async (uniqueid: string) =>
  await shown(await (await boss.get(`/call/void?uniqueid=${uniqueid}`)).text(), 'a test');
const correcting = async (uniqueid: string, change: Record<string, string>) =>
  await shown(await (await boss.post('/call/correct', { uniqueid, why: 'x', ...change })).text(), 'x');

describe('correcting and voiding in the console', () => {
  it('says what would move, and books exactly that once, however often the form is sent', async () => {
    await site.submit({ uniqueid: 'v-1', cost: '2', taxes: '1' });
    const page = await boss.read('/call/void?uniqueid=v-1');
    expect(page).toContain('Harbour Hotel (1) +2.40 USD -1');
    expect(page).toContain('10 -1.84 EUR -0.368 EUR -2.208 EUR -1');
    const form = await voiding('v-1');
    const answers = await Promise.all([boss.post('/call/book', form), boss.post('/call/book', form)]);
    for (const answer of answers)
      expect([answer.status, answer.headers.get('location')]).toEqual([303, '/call?uniqueid=v-1&done=void']);
    expect(await entriesOf('v-1')).toEqual([
      { kind: 'reversing', charged: '-2.4', booked_by: 'boss', why: 'a test' },
    ]);
    const after = await boss.read('/call?uniqueid=v-1&done=void');
    expect(after).toContain('The call is voided. voided Nothing is charged for it any more.');
    expect(after).toMatch(
      /reversed boss Harbour Hotel \(1\) -2\.40 USD 10 \(open\): -1\.84 EUR and tax -0\.368 EUR a test/,
    );
    expect(await boss.read('/activity?act=call+voided')).toContain('boss call voided call v-1; entry:');
  });

  it('books one of two tabs, and tells the other what has changed', async () => {
    await site.submit({ uniqueid: 't-1', cost: '2' });
    const tabs = [await correcting('t-1', { cost: '3' }), await voiding('t-1')];
    const [first, second] = [
      await boss.post('/call/book', tabs[0] ?? []),
      await boss.post('/call/book', tabs[1] ?? []),
    ];
    expect([first.status, second.status]).toEqual([303, 409]);
    expect(readable(await second.text())).toContain('has changed since it was shown: nothing was booked');
    expect((await entriesOf('t-1')).map(({ charged }) => charged)).toEqual(['-2', '3']);
    // The page that told it has an order of its own.
    expect((await boss.post('/call/book', await voiding('t-1'))).status).toBe(303);
    const third = await boss.get('/call/void?uniqueid=t-1');
    expect([third.status, readable(await third.text())]).toEqual([
      409,
      expect.stringContaining('the call is voided, and takes no further correction'),
    ]);
  });

  it('books nothing on terms that have changed since, without a reason, or that cannot be', async () => {
    await site.submit({ uniqueid: 'r-1', cost: '2' });
    const form = await correcting('r-1', { cost: '3', currency: 'EUR' });
    await site.db.execute(`update currencies set rate = 0.5 where code = 'EUR'`);
    const changed = await boss.post('/call/book', form);
    await site.db.execute(`update currencies set rate = 0.92 where code = 'EUR'`);
    expect([changed.status, readable(await changed.text())]).toEqual([
      409,
      expect.stringContaining('-4.00 USD'),
    ]);
    const silent = await boss.post(
      '/call/book',
      form.filter(([name]) => name !== 'why'),
    );
    expect([silent.status, readable(await silent.text())]).toEqual([400, expect.stringContaining('say why')]);
    const wrong = await boss.post('/call/correct', { uniqueid: 'r-1', cost: '1', customer: '99', why: 'x' });
    const told = await wrong.text();
    expect([wrong.status, readable(told)]).toEqual([
      400,
      expect.stringContaining('customer 99 does not exist'),
    ]);
    expect(told).toContain('name="cost" value="1"');
    for (const [path, odd] of [
      ['/call/correct', { uniqueid: 'r-1', cost: '2' }],
      ['/call/correct', { uniqueid: 'r-1', cost: '\0' }],
      ['/call/correct', { uniqueid: 'r-1', taxes: '1', no_taxes: '1' }],
      ['/call/correct', { uniqueid: '\0' }],
      ['/call/book', { uniqueid: 'r-1', operation: 'void', order: 'x' }],
      ['/call/book', { uniqueid: 'r-1', operation: 'create', order: 'x' }],
    ] as const)
      expect((await boss.post(path, odd)).status).toBe(400);
    expect(await entriesOf('r-1')).toEqual([]);
  });

  it('is nothing for a viewer', async () => {
    const viewer = await consoleSite.signIn('auditor');
    await site.submit({ uniqueid: 'w-1', cost: '2' });
    expect(await viewer.read('/call?uniqueid=w-1')).not.toMatch(/Correct…|Void…/);
    expect((await viewer.get('/call/void?uniqueid=w-1')).status).toBe(403);
    expect((await viewer.get('/call/correct?uniqueid=w-1')).status).toBe(403);
    expect((await viewer.post('/call/book', await voiding('w-1'))).status).toBe(403);
    expect(await entriesOf('w-1')).toEqual([]);
  });

  it('corrects a call with the keyboard alone, on a phone, and takes the values of a conflict', {
    timeout: MANY_PAGES_MS,
  }, async () => {
    await site.submit({ uniqueid: 'k-1', cost: '2', snumber: '555' });
    await site.submit({ uniqueid: 'k-1', cost: '5', snumber: '556' });
    const [letter = ''] = await site.ids(`uniqueid = 'k-1'`);
    browser = await openBrowser();
    const page = await browser.newPage({ viewport: { width: 320, height: 640 } });
    await page.goto(`${consoleSite.origin}/sign-in`);
    await page.getByLabel('Username').fill('boss');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await reached(page, 'Overview');
    await follow(page, 'link', 'Calls', 'Calls');
    await tabTo(page, 'textbox', 'Uniqueid', STOPS);
    await page.keyboard.type('k-1');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'k-1' }).waitFor();
    await follow(page, 'link', 'k-1', 'Call k-1');
    await follow(page, 'link', 'Correct…', 'Correct a call');
    await tabTo(page, 'textbox', /^Cost/, STOPS);
    await page.keyboard.type('3');
    await tabTo(page, 'textbox', /^Reason/, STOPS);
    await page.keyboard.type('rated wrong');
    await follow(page, 'button', 'Show what would move', 'Correct this call?');
    await follow(page, 'button', 'Correct the call', 'Call k-1');
    await page.getByRole('status').filter({ hasText: 'The correction is booked.' }).waitFor();
    await page.goto(`${consoleSite.origin}/dead-letters/${letter}`);
    await follow(page, 'link', 'Take its values…', 'Correct a call');
    expect(await page.locator('main').textContent()).toContain('Staying as they are stored: snumber.');
    expect(await page.getByLabel(/^Cost/).inputValue()).toBe('5');
    await tabTo(page, 'textbox', /^Reason/, STOPS);
    await page.keyboard.type('sent too early');
    await follow(page, 'button', 'Show what would move', 'Correct this call?');
    await follow(page, 'button', 'Correct the call', 'Call k-1');
    expect((await entriesOf('k-1')).map(({ charged }) => charged)).toEqual(['-2', '3', '-3', '5']);
    expect(await site.ids(`id = ${letter} and status = 'resolved'`)).toEqual([letter]);
  });
});

async function reached(page: Page, name: string): Promise<void> {
  await page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
  expect({ [name]: await violationsOn(page) }).toEqual({ [name]: [] });
}

async function follow(page: Page, role: 'link' | 'button', name: string, to: string): Promise<void> {
  await tabTo(page, role, name, STOPS);
  await page.keyboard.press('Enter');
  await reached(page, to);
}
