import { createServer } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../support/browser.ts';
import { type OperatorSite, openOperatorSite, PASSWORD } from '../support/operators.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

let site: OperatorSite;
let consoleProcess: WorkerProcess;
let browser: Browser;
let page: Page;
let origin: string;
const problems: string[] = [];

beforeAll(async () => {
  site = await openOperatorSite('console-browser');
  const { CDR_USERNAME, CDR_PASSWORD, ...services } = site.environment;
  consoleProcess = await startProcess(['console'], { ...services, CONSOLE_PORT: '0' });
  origin = `http://127.0.0.1:${await consoleProcess.port()}`;
  browser = await openBrowser();
  page = await browser.newPage({ viewport: { width: 1200, height: 850 } });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused/.test(message.text())) problems.push(message.text());
  });

  for (let n = 0; n < 40; n += 1)
    await site.submit({
      uniqueid: `1764075600.${n}`,
      machine: `pbx-${n % 3}`,
      scustomer: 4711,
      cost: '0.35',
      cnumber: '+4420794600',
    });
  for (let n = 0; n < 9; n += 1)
    await site.submit({ uniqueid: `1764075700.${n}`, machine: 'pbx-1', cots: '1' });
  await site.submit({ uniqueid: '1764075800.1', machine: 'pbx-2', cost: '1.10', snumber: '555' });
  await site.submit({ uniqueid: '1764075800.1', machine: 'pbx-2', cost: '2.40', snumber: '556' });
  await site.submit({
    uniqueid: '1764075900.1',
    machine: 'pbx-2',
    auth_password: 'stolen-canary',
    note: '<script>alert(1)</script>',
  });
  const stored = Array.from({ length: 120 }, (_, n) =>
    site.submit({ uniqueid: `1764076000.${n}`, machine: 'pbx-0' }),
  );
  await Promise.all(stored);
  // As if it had come in the course of the day.
  await site.db.execute(
    `update cdrs set received_at = received_at - (sqrt(random()) * 55) * interval '1 minute'`,
  );
  await site.db.execute(
    `update dead_letters set last_dead_at = last_dead_at - random() * interval '50 minutes' - (id % 7) * interval '2 hours'`,
  );
}, 300_000);

afterAll(async () => {
  await browser?.close();
  await consoleProcess?.stop();
  await site?.close();
});

async function signIn(username: string, password = PASSWORD): Promise<void> {
  await page.goto(`${origin}/sign-in`);
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
}

describe('the console in a browser', () => {
  it('shows nothing before an operator has signed in', async () => {
    await page.goto(`${origin}/dead-letters`);
    expect(new URL(page.url()).pathname).toBe('/sign-in');
    await signIn('boss', 'wrong-canary');
    expect(await page.getByRole('alert').textContent()).toContain('Invalid username or password');
    await signIn('boss');
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    const cookie = (await page.context().cookies()).find(({ name }) => name === 'cdr_desk');
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict' });
  });

  it('shows results per minute, and dead letters by reason and machine', async () => {
    expect(await page.getByRole('row', { name: /^rejected/ }).textContent()).toContain('49');
    expect(await page.getByRole('row', { name: /^pbx-2/ }).count()).toBe(1);
  });

  it('lists by filters', async () => {
    await page.getByRole('link', { name: 'Dead letters', exact: true }).click();
    await page.getByRole('link', { name: 'All open dead letters' }).click();
    expect(await page.locator('tbody tr').count()).toBe(50);
    await page.getByText('Filter: open').click();
    await page.getByLabel('Parameter in the reply').fill('scustomer');
    await page.getByRole('button', { name: 'Show' }).click();
    expect(await page.locator('tbody tr').count()).toBe(40);
    await page.getByText('Filter: open').click();
    await page.getByLabel('Customer', { exact: true }).fill('nobody');
    await page.getByRole('button', { name: 'Show' }).click();
    expect(await page.getByRole('alert').textContent()).toContain('ID of a customer');
  });

  it('shows a conflict beside the stored call, and what callers chose as text', async () => {
    await page.goto(`${origin}/dead-letters?reason=conflict`);
    await page.locator('tbody a').first().click();
    const differing = await page.locator('#call tr.differs th').allTextContents();
    expect(differing.map((text) => text.trim())).toEqual(['differs: ≠ cost', 'differs: ≠ snumber']);
    expect(await page.locator('main').textContent()).toContain('1 death, 0 replays');
    await page.goto(`${origin}/dead-letters?reason=unauthenticated`);
    await page.locator('tbody a').first().click();
    expect(await page.locator('#call').textContent()).toContain('<script>alert(1)</script>');
    expect(await page.content()).not.toContain('canary');
  });

  it('corrects, dry-runs and replays one call', async () => {
    const [id = ''] = await site.ids(`uniqueid = '1764075600.0'`);
    await page.goto(`${origin}/dead-letters/${id}`);
    await page.getByRole('link', { name: 'Correct…' }).click();
    await page.getByLabel('New value of scustomer').fill('1');
    await page.getByLabel('Reason for the correction').fill('the switch was set up wrong');
    await page.getByRole('button', { name: 'Save the correction' }).click();
    await page.getByRole('status').filter({ hasText: 'The correction is saved' }).waitFor();
    expect(await page.locator('table').last().textContent()).toMatch(
      /edited.*boss.*4711 → "1".*set up wrong/s,
    );
    await page.getByRole('button', { name: 'Dry run' }).click();
    await page.getByText('Nothing was changed').waitFor();
    expect(await page.locator('main').textContent()).toMatch(/Nothing was changed.*0\.35 USD/s);
    expect(
      await site.db.rows(`select count(*)::text as stored from cdrs where uniqueid = '1764075600.0'`),
    ).toEqual([{ stored: '0' }]);
    await page.getByRole('button', { name: 'Replay this call' }).click();
    await page.getByText('Done: 1 call resolved').waitFor();
    expect(
      await site.db.rows(`select replayed_by, scustomer::text from cdrs where uniqueid = '1764075600.0'`),
    ).toEqual([{ replayed_by: 'boss', scustomer: '1' }]);
  });

  it('replays a selection with live progress, using the keyboard only', async () => {
    await site.db.execute(`insert into customers (id, name, currency) values (4711, 'Harbour Hotel', 'EUR')`);
    await page.goto(`${origin}/dead-letters?key=scustomer`);
    await page.getByLabel('With').selectOption('all');
    await page.getByRole('button', { name: 'Replay…' }).focus();
    await page.keyboard.press('Enter');
    await page.getByLabel('Calls per second').focus();
    await page.keyboard.type('8');
    await page.getByRole('button', { name: 'Replay 39 dead letters' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('[data-replay]').waitFor();
    const resolved = page.locator('[data-value="resolved"]');
    await expect
      .poll(async () => Number(await resolved.textContent()), { timeout: 30_000 })
      .toBeGreaterThan(10);
    await page.getByText('Done: 39 calls resolved').waitFor();
    expect(await resolved.textContent()).toBe('39');
  });

  it('discards with a reason', async () => {
    const [id = ''] = await site.ids(`uniqueid = '1764075700.0'`);
    await page.goto(`${origin}/dead-letters/${id}`);
    await page.getByRole('button', { name: 'Discard' }).click();
    await page.getByLabel('Reason for this').fill('a test of the switch');
    await page.getByRole('button', { name: 'Discard 1 dead letter' }).click();
    await page.getByRole('button', { name: 'Undo' }).waitFor();
    await page.goto(`${origin}/dead-letters/${id}`);
    expect(await page.locator('main').textContent()).toMatch(/discarded.*a test of the switch/s);
  });

  it('opens a link from another site for somebody who is signed in', async () => {
    const elsewhere = createServer((_request, response) => {
      response
        .setHeader('content-type', 'text/html')
        .end(`<a href="${origin}/dead-letters?key=cots">alert</a>`);
    });
    await new Promise<void>((resolve) => void elsewhere.listen(0, '127.0.0.1', () => resolve()));
    const address = elsewhere.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    // To a browser, another site than 127.0.0.1.
    await page.goto(`http://localhost:${port}/`);
    await page.getByRole('link', { name: 'alert' }).click();
    await page.getByRole('heading', { level: 1, name: 'Dead letters' }).waitFor();
    expect(new URL(page.url()).search).toBe('?key=cots');
    elsewhere.close();
    elsewhere.closeAllConnections();
  });

  it('fits a phone without scrolling sideways', async () => {
    await page.setViewportSize({ width: 375, height: 740 });
    for (const path of ['/', '/dead-letters', '/replays', `/dead-letters/${(await site.ids('true'))[0]}`]) {
      await page.goto(`${origin}${path}`);
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      expect({ path, overflow }).toEqual({ path, overflow: 0 });
    }
    await page.setViewportSize({ width: 1200, height: 850 });
  });

  it('lets a viewer look, but not act', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor();
    await signIn('auditor');
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    const [id = ''] = await site.ids(`status = 'dead'`);
    for (const path of ['/dead-letters', `/dead-letters/${id}`]) {
      await page.goto(`${origin}${path}`);
      expect(await page.getByRole('button').allTextContents()).not.toContain('Replay');
    }
    const status = await page.evaluate(
      `fetch('/discard', { method: 'POST', body: new URLSearchParams({ id: '${id}', csrf: document.querySelector('[name=csrf]').value }) }).then(({ status }) => status)`,
    );
    expect(status).toBe(403);
    expect(await site.ids(`id = ${id} and status = 'dead'`)).toEqual([id]);
  });

  it('caused no error, refused no script or style, and logged no password', () => {
    expect(problems).toEqual([]);
    expect(consoleProcess.output()).not.toContain('canary');
  });
});
