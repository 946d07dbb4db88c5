import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../support/browser.ts';
import { type OperatorSite, openOperatorSite, PASSWORD } from '../support/operators.ts';
import { type FaultProxy, startProxy } from '../support/proxy.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

const MACHINES = 12;

let site: OperatorSite;
let consoleProcess: WorkerProcess;
let broker: FaultProxy;
let browser: Browser;
let page: Page;
let origin: string;

beforeAll(async () => {
  site = await openOperatorSite('console-overview');
  broker = await startProxy(site.db.amqpUrl);
  const { CDR_USERNAME, CDR_PASSWORD, ...services } = site.environment;
  consoleProcess = await startProcess(['console'], {
    ...services,
    AMQP_URL: broker.url(site.db.amqpUrl),
    CONSOLE_PORT: '0',
  });
  origin = `http://127.0.0.1:${await consoleProcess.port()}`;
  browser = await openBrowser();
  page = await browser.newPage({ viewport: { width: 1200, height: 600 } });
  for (let n = 0; n < MACHINES; n += 1)
    await site.submit({ uniqueid: `refused-${n}`, machine: `pbx-${n}`, scustomer: 4711, cost: '0.35' });
  await site.submit({ uniqueid: 'forged', machine: 'pbx-1', cost: '999', auth_password: 'wrong-canary' });
  for (let n = 0; n < 3; n += 1) await site.submit({ uniqueid: `stored-${n}` });
  await site.db.execute(
    `update dead_letters set first_dead_at = now() - interval '3 hours 10 minutes' where uniqueid = 'refused-0'`,
  );
  await page.goto(`${origin}/sign-in`);
  await page.getByLabel('Username').fill('auditor');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
}, 300_000);

afterAll(async () => {
  await browser?.close();
  await consoleProcess?.stop();
  await broker?.close();
  await site?.close();
});

const main = async () => ((await page.locator('main').textContent()) ?? '').replaceAll(/\s+/g, ' ');
const rowOf = async (name: RegExp) =>
  ((await page.getByRole('row', { name }).textContent()) ?? '').replaceAll(/\s+/g, ' ');

/** Renews the page until it says so: servers are asked once in five seconds. */
async function untilMain(pattern: RegExp): Promise<void> {
  await expect
    .poll(
      async () => {
        await page.reload();
        return await main();
      },
      { timeout: 40_000, interval: 500 },
    )
    .toMatch(pattern);
}

describe('the overview', () => {
  it('shows open dead letters by reason, with the age of the oldest and the money at stake', async () => {
    expect(await rowOf(/^rejected/)).toMatch(/^rejected\s*12\s*12\s*3h\s*4\.20 USD/);
    expect(await main()).toMatch(/13 open dead letters.*3h since the oldest died/);
    await page.getByRole('link', { name: 'rejected', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: 'Dead letters: rejected' }).waitFor();
    expect(await main()).toContain('12 dead letters open');
    await page.goto(origin);
  });

  it('does not count the money of unknown senders, and says so', async () => {
    expect(await rowOf(/^unauthenticated/)).toMatch(/none.*1 of unknown senders not counted/);
    expect(await main()).not.toContain('999');
  });

  it('says of how many machines it shows those with the most', async () => {
    expect(await main()).toContain(`The 10 machines with the most, of ${MACHINES}.`);
    expect(await rowOf(/^pbx-1 /)).toMatch(/^pbx-1\s*2\s*2/);
  });

  it('shows the queues with the workers that consume', async () => {
    expect(await rowOf(/^cdrs\.create/)).toMatch(/^cdrs\.create\s*0\s*1$/);
    expect(await rowOf(/^cdrs\.dead/)).toMatch(/^cdrs\.dead\s*0\s*1$/);
    expect(await main()).toContain('1 worker consuming');
  });

  it('has every number of the chart in a table, and each by keyboard', async () => {
    await page.getByText('The numbers as a table').click();
    const cells = await page
      .locator('.chart-table tbody tr')
      .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
    expect(cells).toHaveLength(60);
    const sum = (column: number) => cells.reduce((total, cell) => total + Number(cell[column]), 0);
    expect([sum(1), sum(2)]).toEqual([3, 13]);
    const slider = page.getByRole('slider', { name: 'Minute of the chart' });
    await slider.focus();
    await page.keyboard.press('Home');
    const text = await slider.getAttribute('aria-valuetext');
    expect(text).toMatch(/^\d\d:\d\d UTC: 0 calls stored, 0 dead letters added or repeated$/);
    expect(await page.locator('.chart output').textContent()).toBe(text);
    expect(await page.locator('.chart g.marked').count()).toBe(2);
  });

  it('shows the value of the bar under the pointer', async () => {
    await page.locator('.chart svg').first().locator('g').nth(30).hover();
    expect(await page.getByRole('slider').inputValue()).toBe('30');
  });

  it('counts by the hours of a day as well', async () => {
    await page.getByRole('link', { name: 'by hour' }).click();
    await page.getByRole('heading', { name: 'Calls and dead letters, last 24 hours' }).waitFor();
    expect(await page.locator('.chart-table tbody tr').count()).toBe(24);
    await page.getByRole('link', { name: 'By minute' }).click();
    await page.getByRole('heading', { name: 'Calls and dead letters, last hour' }).waitFor();
  });

  it('is renewed without moving the focus, the scrolling or what is open', async () => {
    await page.goto(origin);
    await page.getByText('The numbers as a table').click();
    const link = page.getByRole('link', { name: 'pbx-1', exact: true });
    await link.focus();
    const scrolled = await page.evaluate('window.scrollY');
    expect(scrolled).toBeGreaterThan(0);
    await site.submit({ uniqueid: 'one-more', machine: 'pbx-1', scustomer: 4711, cost: '0.35' });
    await expect.poll(() => rowOf(/^pbx-1 /), { timeout: 40_000 }).toMatch(/^pbx-1\s*3/);
    expect(await page.evaluate('document.activeElement.textContent')).toBe('pbx-1');
    expect(await page.evaluate('window.scrollY')).toBe(scrolled);
    expect(await page.locator('.chart details').getAttribute('open')).not.toBeNull();
  });

  it('is not renewed while it is hidden or paused', async () => {
    await page.clock.install();
    await page.goto(origin);
    let asked = 0;
    page.on('request', () => (asked += 1));
    await page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })");
    await page.clock.runFor(60_000);
    expect(asked).toBe(0);
    await page.evaluate("Object.defineProperty(document, 'hidden', { value: false })");
    await page.getByRole('button', { name: 'Pause the updates' }).click();
    await page.clock.runFor(60_000);
    expect(asked).toBe(0);
    await page.getByRole('button', { name: 'Resume the updates' }).click();
    const request = page.waitForRequest(`${origin}/`);
    await page.clock.runFor(6_000);
    await request;
  });

  it('says when it is no longer renewed because the session has ended', async () => {
    await page.goto(origin);
    await page.context().clearCookies();
    await page.clock.runFor(6_000);
    await page.getByText('you are signed out').waitFor();
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Overview');
  });

  it('comes without the broker, and says that it is not reachable', async () => {
    await page.goto(`${origin}/sign-in`);
    await page.getByLabel('Username').fill('auditor');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    broker.stall();
    await untilMain(/The broker is not reachable: /);
    expect(await main()).not.toMatch(/guest:(?!\*\*\*)/);
    expect(await rowOf(/^rejected/)).toMatch(/^rejected/);
    broker.cut();
    broker.resume();
    await untilMain(/1 worker consuming/);
  });
});
