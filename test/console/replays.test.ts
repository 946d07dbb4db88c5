import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openBrowser } from '../support/browser.ts';
import { type OperatorSite, openOperatorSite, PASSWORD } from '../support/operators.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

let site: OperatorSite;
let consoleProcess: WorkerProcess;
let browser: Browser;
let page: Page;
let origin: string;

beforeAll(async () => {
  site = await openOperatorSite('console-replays');
  const { CDR_USERNAME, CDR_PASSWORD, ...services } = site.environment;
  consoleProcess = await startProcess(['console'], { ...services, CONSOLE_PORT: '0' });
  origin = `http://127.0.0.1:${await consoleProcess.port()}`;
  browser = await openBrowser();
  page = await (await browser.newContext()).newPage();
  await page.goto(`${origin}/sign-in`);
  await page.getByLabel('Username').fill('boss');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
}, 300_000);

afterAll(async () => {
  await browser?.close();
  await consoleProcess?.stop();
  await site?.close();
});

/** Calls of a customer that the billing system has not got yet; each test has its own. */
let customer = 5000;
beforeEach(() => {
  customer += 1;
});

async function refusedCalls(count: number, parameters: Record<string, unknown> = {}): Promise<void> {
  const calls = Array.from({ length: count }, (_, n) =>
    site.submit({ uniqueid: `r-${customer}-${n}`, scustomer: customer, cost: '0.5', ...parameters }),
  );
  await Promise.all(calls);
}

async function addCustomer(): Promise<void> {
  await site.db.execute(
    `insert into customers (id, name, currency) values (${customer}, 'Hotel ${customer}', 'EUR')`,
  );
}

/** Starts a dry run of the test's calls and waits for its result. */
async function dryRun(): Promise<string> {
  await page.goto(`${origin}/dead-letters/list?customer=${customer}`);
  await page.getByLabel('With').selectOption('all');
  await page.getByRole('button', { name: 'Dry run…' }).click();
  await page.getByText('This is what a replay would do').waitFor();
  return new URL(page.url()).pathname.split('/').at(-1) ?? '';
}

const main = async () => (await page.locator('main').innerText()).replace(/\s+/g, ' ');
const stored = async () => {
  const [row] = await site.db.rows(`select count(*)::text as n from cdrs where scustomer = ${customer}`);
  return Number(row?.n);
};

describe('a dry run in the console', () => {
  it('says what each call becomes, for which customer, and that no invoice takes it; then exactly that is replayed', async () => {
    await refusedCalls(3);
    await addCustomer();
    await site.submit({ uniqueid: `r-${customer}-bad`, scustomer: customer, colour: 'blue' });
    const id = await dryRun();
    const shown = await main();
    expect(shown).toContain('3 would be stored and charged');
    expect(shown).toContain('1 would be rejected again');
    expect(shown).toContain('1 call would stay dead.');
    expect(shown).toMatch(/3 calls would be charged and put on no invoice \(1\.50 USD\)/);
    expect(shown).toMatch(new RegExp(`Hotel ${customer} \\(${customer}\\) 3 \\d+\\.\\d+ EUR`));
    expect(await stored()).toBe(0);
    // Dies while the operator reads.
    await site.submit({ uniqueid: `r-${customer}-late`, scustomer: customer, colour: 'blue' });

    await page.getByRole('link', { name: 'See which, and why' }).click();
    expect(await page.locator('tbody').last().innerText()).toMatch(/colour/);
    await page.getByRole('button', { name: 'Replay these 4' }).click();
    await page.getByText('Done: 3 calls resolved, 1 refused again').waitFor();
    expect(await stored()).toBe(3);
    expect(new URL(page.url()).pathname).toBe(`/replays/${id}`);
    // What was refused again is in sight.
    expect(await page.locator('table').last().innerText()).toMatch(new RegExp(`r-${customer}-bad`));
    const [late] = await site.db.rows(
      `select replays::text from dead_letters where uniqueid = 'r-${customer}-late'`,
    );
    expect(late?.replays).toBe('0');
  });

  it('is replayed once, however often somebody clicks, in two tabs or one', async () => {
    await refusedCalls(2);
    await addCustomer();
    const id = await dryRun();
    const other = await page.context().newPage();
    await other.goto(`${origin}/replays/${id}`);
    await page.getByRole('button', { name: 'Replay these 2' }).click();
    await page.getByText('Done: 2 calls resolved').waitFor();
    await other.getByRole('button', { name: 'Replay these 2' }).click();
    expect(await other.getByRole('alert').textContent()).toContain('has been replayed already');
    await other.close();
    expect(await stored()).toBe(2);
  });

  it('corrects many at once, each of which keeps its own values', async () => {
    await addCustomer();
    for (const cots of ['0.11', '0.22', '0.33'])
      await site.submit({
        uniqueid: `r-${customer}-${cots}`,
        scustomer: customer,
        cost: undefined,
        cots,
        colour: 'red',
      });
    await page.goto(`${origin}/dead-letters/list?answer_key=cots&customer=${customer}`);
    await page.getByLabel('With').selectOption('all');
    await page.getByRole('button', { name: 'Correct…' }).click();
    await page.getByRole('heading', { level: 1, name: 'Correct 3 dead letters' }).waitFor();
    expect(await page.getByLabel('Misspelt name').inputValue()).toBe('cots');
    expect(await page.getByLabel('New name').inputValue()).toBe('cost');
    await page.getByLabel('Or take out').fill('colour');
    await page.getByLabel('Set (1)').selectOption('note');
    await page.getByLabel('to value (1)').fill('misspelt');
    await page.getByLabel('Reason for the correction').fill('the switch misspells it');
    await page.getByRole('button', { name: 'Dry run with this correction' }).click();
    await page.getByText('This is what a replay would do').waitFor();
    expect(await main()).toContain('3 would be stored and charged');
    expect(await main()).toContain('renames cots to cost');
    await page.getByRole('button', { name: 'Replay these 3' }).click();
    await page.getByText('Done: 3 calls resolved').waitFor();
    expect(
      await site.db.rows(
        `select trim_scale(cost)::text as cost, note from cdrs where scustomer = ${customer} order by cost`,
      ),
    ).toEqual(['0.11', '0.22', '0.33'].map((cost) => ({ cost, note: 'misspelt' })));
  });

  it('is not believed where the replay was answered otherwise', async () => {
    await refusedCalls(1);
    await addCustomer();
    await dryRun();
    await site.db.execute(`delete from customers where id = ${customer}`);
    await page.getByRole('button', { name: 'Replay this call' }).click();
    await page.getByText('Done: 0 calls resolved, 1 refused again').waitFor();
    expect(await page.locator('table').last().innerText()).toContain(`customer ${customer} does not exist`);
  });

  it('that is a day old is not replayed', async () => {
    await refusedCalls(1);
    const id = await dryRun();
    await site.db.execute(`update replays set ended_at = now() - interval '25 hours' where id = ${id}`);
    await page.reload();
    expect(await page.getByRole('button', { name: /^Replay/ }).count()).toBe(0);
    expect(await main()).toContain('too old to be replayed');
  });
});

describe('a replay in the console', () => {
  it('shows how far it is, is stopped, and goes on with the rest', async () => {
    await refusedCalls(30);
    await addCustomer();
    const id = await dryRun();
    await page.getByLabel('Calls per second').fill('5');
    await page.getByRole('button', { name: 'Replay these 30' }).click();
    const resolved = page.locator('[data-value="resolved"]');
    await expect
      .poll(async () => Number(await resolved.textContent()), { timeout: 30_000 })
      .toBeGreaterThan(2);
    await expect
      .poll(() => page.locator('[data-value="left"]').textContent(), { timeout: 30_000 })
      .toMatch(/ s$/);
    // Numbers that change each second are not read out.
    expect(await page.locator('.numbers[aria-live], .numbers [aria-live]').count()).toBe(0);
    await page.getByRole('button', { name: 'Stop sending' }).click();
    await page.getByText('Stopped early').waitFor({ timeout: 30_000 });
    const done = await stored();
    expect(done).toBeLessThan(30);
    const rest = page.getByRole('button', { name: /^Resume: send the other \d+$/ });
    expect(await rest.textContent()).toContain(`send the other ${30 - done}`);
    await rest.click();
    await page.getByText('Done: 30 calls resolved').waitFor({ timeout: 30_000 });
    expect(await stored()).toBe(30);
    const acts = await site.db.rows(
      `select act from activity where detail ->> 'replay' = '${id}' order by id`,
    );
    expect(acts.map(({ act }) => act)).toEqual([
      ...['dry run', 'replay started', 'replay stopped', 'replay ended', 'replay resumed', 'replay ended'],
    ]);
  });

  it('says that its process has gone, and is resumed', async () => {
    await refusedCalls(2);
    await addCustomer();
    const id = await dryRun();
    // As a process leaves it that was killed before it sent anything.
    await site.db.execute(
      `update replays set state = 'running', started_at = now() - interval '5 minutes', ended_at = null,
         alive_at = now() - interval '4 minutes' where id = ${id}`,
    );
    await page.goto(`${origin}/replays`);
    const row = page.getByRole('row', { name: new RegExp(`Replay ${id}\\b`) });
    expect(await row.innerText()).toContain('interrupted');
    await page.getByRole('link', { name: `Replay ${id}`, exact: true }).click();
    expect(await main()).toContain('has gone without a word');
    await page.getByRole('button', { name: 'Resume: send the other 2' }).click();
    await page.getByText('Done: 2 calls resolved').waitFor({ timeout: 30_000 });
    expect(await stored()).toBe(2);
  });

  it('of a command is listed and shown as well, with who started it and why', async () => {
    await refusedCalls(1);
    await addCustomer();
    await site.dead([
      'replay',
      '--customer',
      String(customer),
      '--set',
      'note=x',
      '--why',
      'the customer is there now',
    ]);
    await page.goto(`${origin}/replays`);
    await page.getByRole('row').nth(1).getByRole('link').click();
    const shown = await main();
    expect(shown).toContain('By boss, by command');
    expect(shown).toContain('Why the customer is there now');
    expect(shown).toContain('sets note to x');
    expect(shown).toContain(`customer ${customer}`);
  });

  it('is only looked at by viewers', async () => {
    await refusedCalls(1);
    const id = await dryRun();
    const viewer = await (await browser.newContext()).newPage();
    await viewer.goto(`${origin}/sign-in`);
    await viewer.getByLabel('Username').fill('auditor');
    await viewer.getByLabel('Password').fill(PASSWORD);
    await viewer.keyboard.press('Enter');
    await viewer.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    await viewer.goto(`${origin}/replays/${id}`);
    expect(await viewer.locator('main').getByRole('button').count()).toBe(0);
    await viewer.context().close();
  });
});
