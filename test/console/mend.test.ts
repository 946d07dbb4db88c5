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

beforeAll(async () => {
  site = await openOperatorSite('console-mend');
  const { CDR_USERNAME, CDR_PASSWORD, ...services } = site.environment;
  consoleProcess = await startProcess(['console'], { ...services, CONSOLE_PORT: '0' });
  origin = `http://127.0.0.1:${await consoleProcess.port()}`;
  browser = await openBrowser();
  page = await browser.newPage();
  await signIn(page, 'boss');
}, 300_000);

afterAll(async () => {
  await browser?.close();
  await consoleProcess?.stop();
  await site?.close();
});

async function signIn(at: Page, username: string): Promise<void> {
  await at.goto(`${origin}/sign-in`);
  await at.getByLabel('Username').fill(username);
  await at.getByLabel('Password').fill(PASSWORD);
  await at.keyboard.press('Enter');
  await at.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
}

/** A dead letter of this call; its id. */
async function refused(uniqueid: string, parameters: Record<string, unknown>): Promise<string> {
  await site.submit({ uniqueid, ...parameters });
  const ids = await site.ids(`uniqueid = '${uniqueid}'`);
  return ids.at(-1) ?? '';
}

async function editsOf(id: string): Promise<unknown> {
  const [row] = await site.db.rows(`select edits::text from dead_letters where id = ${id}`);
  return JSON.parse(row?.edits ?? 'null');
}

const save = () => page.getByRole('button', { name: 'Save the correction' }).click();
const saved = () => page.getByRole('status').filter({ hasText: 'The correction is saved' }).waitFor();
const alertText = () => page.getByRole('alert').textContent();

describe('correcting one dead letter', () => {
  it('offers what a misspelt parameter was meant to be, and keeps its own value', async () => {
    const id = await refused('mend-1', { cost: undefined, cots: '0.35' });
    await page.goto(`${origin}/dead-letters/${id}`);
    await page.getByRole('link', { name: 'Correct…' }).click();
    const names = page.getByLabel('Rename cots to');
    expect((await names.locator('option').allTextContents()).slice(0, 2)).toEqual(['no other name', 'cost']);
    await names.selectOption('cost');
    await save();
    expect(await alertText()).toContain('cost requires a reason');
    expect(await names.inputValue()).toBe('cost');
    await page.getByLabel('Reason for the correction').fill('the switch misspells it');
    await save();
    await saved();
    expect(await page.locator('#call').textContent()).toMatch(/cots.*taken out.*cost.*0\.35/s);
    expect(await page.getByRole('row', { name: /edited/ }).textContent()).toMatch(
      /boss.*the switch misspells it/s,
    );
    expect(await editsOf(id)).toEqual({ cost: '0.35', cots: null });
  });

  it('sets and takes out several parameters at once, and shows before what they make of the call', async () => {
    const id = await refused('mend-2', { scustomer: 999, colour: 'blue' });
    await page.goto(`${origin}/dead-letters/${id}/correct`);
    await page.getByLabel('Take colour out').check();
    await page.getByText('Other parameters').click();
    await page.getByLabel('New value of scustomer').fill('1');
    await page.getByLabel('New value of note').fill('by hand');
    await page.getByRole('button', { name: 'Preview' }).click();
    const preview = page.getByRole('region', { name: 'Preview: nothing is saved yet' });
    expect(await preview.textContent()).toMatch(/A reason is needed for scustomer/);
    expect(await preview.locator('pre').textContent()).toMatch(/"scustomer": ?"1"/);
    expect(await preview.locator('pre').textContent()).not.toContain('colour');
    expect(await editsOf(id)).toEqual({});
    expect(await page.getByLabel('Take colour out').isChecked()).toBe(true);
    await page.getByLabel('Reason for the correction').fill('customer moved');
    await save();
    await saved();
    expect(await editsOf(id)).toEqual({ scustomer: '1', note: 'by hand', colour: null });
  });

  it('replaces a body that cannot be read, which then is replayed', async () => {
    await site.client.submit({ body: '{"uniqueid":"mend-3","machine":"m-1"; broken' });
    const [id = ''] = await site.ids(`uniqueid = 'mend-3'`);
    await page.goto(`${origin}/dead-letters/${id}/correct`);
    const body = page.getByLabel('The body, as a JSON object');
    await body.fill('not a body');
    await page.getByRole('button', { name: 'Preview' }).click();
    expect(await alertText()).toContain('expected a JSON object');
    expect(await body.inputValue()).toBe('not a body');
    await body.fill(
      '{"uniqueid":"mend-3","machine":"m-1",\n\t"start":1700000000,"scustomer":1,"cost":"2","auth_password":"no-canary"}',
    );
    await page.getByRole('button', { name: 'Preview' }).click();
    const preview = page.getByRole('region', { name: /^Preview/ });
    expect(await preview.textContent()).toContain('auth_password left out');
    expect(await preview.locator('pre').textContent()).toContain('1700000000');
    await page.getByLabel('Reason for the correction').fill('read from the file of the switch');
    await save();
    await saved();
    const [row] = await site.db.rows(`select body, mended_body from dead_letters where id = ${id}`);
    expect(row?.body).toContain('broken');
    expect(row?.mended_body).toContain('"scustomer":1');
    expect(JSON.stringify(row)).not.toContain('canary');
  });

  it('stores a conflict under another uniqueid, with a reason', async () => {
    await site.submit({ uniqueid: 'mend-4', cost: '1' });
    const id = await refused('mend-4', { cost: '2' });
    await page.goto(`${origin}/dead-letters/${id}/correct`);
    await page.getByLabel('New value of uniqueid').fill('mend-4-b');
    await save();
    expect(await alertText()).toContain('uniqueid requires a reason');
    await page.getByLabel('Reason for the correction').fill('two calls with one number');
    await save();
    await saved();
    expect(await editsOf(id)).toEqual({ uniqueid: 'mend-4-b' });
  });

  it('knows parameters of any name, and shows them as text', async () => {
    const name = '<b>"a=b\n\u202e&%';
    const id = await refused('mend-5', { [name]: '1' });
    await page.goto(`${origin}/dead-letters/${id}/correct`);
    await page.getByRole('checkbox').first().check();
    await save();
    await saved();
    // As it was kept: a line break has no place in a name.
    expect(await editsOf(id)).toEqual({ [name.replace('\n', '\uFFFD')]: null });
  });

  it('says so when somebody else has corrected it in the meantime, and loses nothing', async () => {
    const id = await refused('mend-6', { scustomer: 999 });
    const other = await browser.newPage();
    await signIn(other, 'boss');
    for (const each of [page, other]) {
      await each.goto(`${origin}/dead-letters/${id}/correct`);
      await each.getByLabel('New value of scustomer').fill('1');
      await each.getByLabel('Reason for the correction').fill('moved');
    }
    await save();
    await saved();
    await other.getByRole('button', { name: 'Save the correction' }).click();
    expect(await other.getByRole('alert').textContent()).toContain('it is so already');
    await other.close();
    const [row] = await site.db.rows(
      `select count(*)::text as n from dead_letter_events where dead_letter = ${id}`,
    );
    expect(row?.n).toBe('1');
  });

  it('is not for viewers, nor for what is closed', async () => {
    const id = await refused('mend-7', { scustomer: 999 });
    const viewer = await browser.newPage();
    await signIn(viewer, 'auditor');
    await viewer.goto(`${origin}/dead-letters/${id}`);
    expect(await viewer.getByRole('link', { name: 'Correct…' }).count()).toBe(0);
    const answer = await viewer.goto(`${origin}/dead-letters/${id}/correct`);
    expect(answer?.status()).toBe(403);
    await viewer.close();
    await site.db.execute(`update dead_letters set status = 'discarded', closed_at = now() where id = ${id}`);
    await page.goto(`${origin}/dead-letters/${id}/correct`);
    expect(new URL(page.url()).pathname).toBe(`/dead-letters/${id}`);
  });
});
