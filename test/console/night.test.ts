import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../support/browser.ts';
import { type OperatorSite, openOperatorSite, PASSWORD } from '../support/operators.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

/** Where pictures go when they are wanted: `SCREENSHOTS=docs/images npm test -- test/console/night.test.ts`. */
const PICTURES = process.env.SCREENSHOTS;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DESKTOP = { width: 1200, height: 850 };
const PHONE = { width: 375, height: 812 };

let site: OperatorSite;
let consoleProcess: WorkerProcess;
let browser: Browser;
let page: Page;
let origin: string;

beforeAll(async () => {
  site = await openOperatorSite('console-night');
  const { CDR_USERNAME, CDR_PASSWORD, ...services } = site.environment;
  consoleProcess = await startProcess(['console'], { ...services, CONSOLE_PORT: '0' });
  origin = `http://127.0.0.1:${await consoleProcess.port()}`;
  browser = await openBrowser();
  page = await browser.newPage({
    viewport: DESKTOP,
    timezoneId: 'Europe/Amsterdam',
    reducedMotion: 'reduce',
  });

  await site.db.execute(`update customers set name = 'Northwind Clinic' where id = 1`);
  for (let n = 0; n < 60; n += 1)
    await site.submit({
      uniqueid: `1764075600.${n}`,
      machine: `pbx-ams-${n % 12}`,
      scustomer: n % 3 === 0 ? 4712 : 4711,
      cost: `0.${10 + n}`,
      currency: 'EUR',
      cnumber: '+442079460000',
      update_invoices: 1,
    });
  for (let n = 0; n < 9; n += 1)
    await site.submit({ uniqueid: `1764075700.${n}`, machine: 'pbx-ams-1', cost: undefined, cots: '1.20' });
  await site.submit({
    uniqueid: '1764075800.1',
    machine: 'pbx-lon-2',
    cost: '1.10',
    snumber: '+31205550101',
  });
  await site.submit({
    uniqueid: '1764075800.1',
    machine: 'pbx-lon-2',
    cost: '2.40',
    snumber: '+31205550102',
  });
  await site.submit({
    uniqueid: '1764075900.1',
    machine: 'pbx-lon-2',
    auth_password: 'stolen-canary',
    cost: '9',
  });
  const stored = Array.from({ length: 240 }, (_, n) =>
    site.submit({ uniqueid: `1764076000.${n}`, machine: 'pbx-ams-0' }),
  );
  await Promise.all(stored);
  // As if it had come in the course of the day.
  await site.db.execute(
    `update cdrs set received_at = received_at - (sqrt(random()) * 55) * interval '1 minute'`,
  );
  await site.db.execute(`update dead_letters set last_dead_at = now() - (id * id % 53) * interval '1 minute',
    first_dead_at = now() - (id * id % 53) * interval '1 minute' - (id % 5) * interval '1 hour'`);
  await site.db.execute(`insert into heard (kind, name, since, named_at, last_at, records, every_seconds) values
    ('feed', 'fs-ams-1', now() - interval '1 day', now(), now() - interval '20 minutes', 1204, 900)`);
  // The billing system has made the customers since.
  await site.db.execute(
    `insert into customers (id, name, currency) values (4711, 'Harbour Hotel', 'EUR'), (4712, 'Quayside Rentals', 'USD')`,
  );
}, 300_000);

afterAll(async () => {
  await browser?.close();
  await consoleProcess?.stop();
  await site?.close();
});

/** The page as it stands, on desktop and phone, in light and dark. */
async function pictures(name: string): Promise<void> {
  if (PICTURES === undefined) return;
  mkdirSync(`${ROOT}${PICTURES}`, { recursive: true });
  for (const [device, size] of [
    ['desktop', DESKTOP],
    ['phone', PHONE],
  ] as const)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${ROOT}${PICTURES}/console-${name}-${device}-${colorScheme}.png` });
    }
  await page.setViewportSize(DESKTOP);
  await page.emulateMedia({ colorScheme: 'light' });
}

const heading = (name: string | RegExp) => page.getByRole('heading', { level: 1, name }).waitFor();
const main = async () => ((await page.locator('main').textContent()) ?? '').replaceAll(/\s+/g, ' ');
const stored = async () =>
  Number(
    (await site.db.rows(`select count(*)::text as n from cdrs where uniqueid like '1764075600.%'`))[0]?.n,
  );

describe('an operator who is called at night', () => {
  it('sees on the overview what is open', async () => {
    await page.goto(`${origin}/sign-in`);
    await page.getByLabel('Username').fill('boss');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await heading('Overview');
    expect(await main()).toContain('71 open dead letters');
    await pictures('overview');
  });

  it('finds the problem that most of them have', async () => {
    await page.getByRole('link', { name: 'open dead letters' }).click();
    await heading('Dead letters by problem');
    expect(await page.getByRole('row').nth(1).textContent()).toMatch(/^rejected: scustomer60/);
    await pictures('groups');
  });

  it('reads the story of a call beside the stored one', async () => {
    await page.getByRole('link', { name: 'conflict: uniqueid' }).click();
    await page.locator('tbody a').first().click();
    await heading(/^Dead letter \d+$/);
    await pictures('call');
  });

  it('tries out all of the problem, and sees what would be charged', async () => {
    await page.goto(`${origin}/dead-letters`);
    await page.getByRole('link', { name: 'rejected: scustomer' }).click();
    await page.getByLabel('With').selectOption('all');
    await page.getByRole('button', { name: 'Dry run…' }).click();
    await page.getByRole('button', { name: /^Replay/ }).waitFor();
    expect(await main()).toMatch(/Harbour Hotel.*EUR/);
    expect(await stored()).toBe(0);
    await pictures('dry-run');
  });

  it('replays exactly that at a rate, stops it, and lets it go on', async () => {
    await page.getByLabel('Calls per second').fill('6');
    await page.getByRole('button', { name: /^Replay/ }).click();
    await heading(/^Replay/);
    await expect.poll(stored, { timeout: 30_000 }).toBeGreaterThan(8);
    await pictures('replay-running');
    await page.getByRole('button', { name: /^Stop/ }).click();
    await page.getByRole('button', { name: /^Resume/ }).waitFor();
    const before = await stored();
    expect(before).toBeLessThan(60);
    await page.getByRole('button', { name: /^Resume/ }).click();
    const resolved = page.locator('[data-value="resolved"]');
    await expect
      .poll(async () => Number(await resolved.textContent()), { timeout: 30_000 })
      .toBeGreaterThan(before);
    await pictures('replay-resumed');
    await expect.poll(stored, { timeout: 30_000 }).toBe(60);
    await page.getByText('done').first().waitFor();
  });
});
