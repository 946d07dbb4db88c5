import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { overflowOf, tabTo, violationsOn } from '../support/access.ts';
import { openBrowser } from '../support/browser.ts';
import { type OperatorSite, openOperatorSite, PASSWORD } from '../support/operators.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

/** Tab stops from the top of a page to what it is for. */
const STOPS = 20;

let site: OperatorSite;
let consoleProcess: WorkerProcess;
let browser: Browser;
let origin: string;

/** Every page, each with something on it, and the ones that have nothing to show. */
let paths: string[];

beforeAll(async () => {
  site = await openOperatorSite('console-access');
  const { CDR_USERNAME, CDR_PASSWORD, ...services } = site.environment;
  consoleProcess = await startProcess(['console'], { ...services, CONSOLE_PORT: '0' });
  origin = `http://127.0.0.1:${await consoleProcess.port()}`;
  browser = await openBrowser();
  const long = 'x'.repeat(255);
  for (let n = 0; n < 60; n += 1)
    await site.submit({
      uniqueid: `1764075600.${n}`,
      machine: `pbx-${n % 12}`,
      scustomer: 4711,
      cost: '0.35',
    });
  for (let n = 0; n < 3; n += 1) await site.submit({ uniqueid: `named-${n}`, machine: 'pbx-1', cots: '1' });
  await site.submit({ uniqueid: long, machine: long, cost: '999999999999.999999', cots: '1', note: long });
  await site.submit({ uniqueid: 'twice', cost: '1.10', snumber: '555' });
  await site.submit({ uniqueid: 'twice', cost: '2.40', snumber: '556' });
  await site.submit({ uniqueid: 'y'.repeat(255), machine: long, snumber: long, cost: '99999999.999999' });
  await site.submit({ uniqueid: 'forged', auth_password: 'wrong-canary' });
  await site.client.submit({ body: '{"uniqueid": "unreadable' });
  const corrected = ['--key', 'scustomer', '--limit', '3', '--set', 'scustomer=1', '--why', 'a test'];
  await site.deadJson(['replay', '--dry-run', ...corrected]);
  await site.deadJson(['replay', ...corrected]);
  const replays = await site.db.rows('select id::text from replays order by id');
  await site.db.execute(`insert into heard (kind, name, since, named_at, last_at, records, every_seconds) values
    ('feed', 'fs-1', now() - interval '1 day', now(), now() - interval '20 minutes', 1204, 900)`);
  const of = async (where: string) => `/dead-letters/${(await site.ids(where))[0]}`;
  paths = [
    '/',
    '/?by=hour',
    '/dead-letters',
    '/dead-letters/list',
    '/dead-letters/list?reason=rejected&sort=cost',
    '/dead-letters/list?search=nobody',
    '/dead-letters/list?customer=nobody',
    await of(`reason = 'rejected' and status = 'dead'`),
    await of(`uniqueid = '${long}'`),
    `${await of(`reason = 'rejected' and status = 'dead'`)}/correct`,
    `${await of(`uniqueid = '${long}'`)}/correct`,
    `${await of('uniqueid is null')}/correct`,
    await of(`reason = 'conflict'`),
    await of(`reason = 'unauthenticated'`),
    await of('uniqueid is null'),
    await of(`status = 'resolved'`),
    '/replays',
    ...replays.map(({ id }) => `/replays/${id}`),
    '/calls',
    '/calls?customer=1',
    '/calls?uniqueid=nobody',
    `/calls?machine=${long}`,
    '/call?uniqueid=twice',
    `/call?uniqueid=${'y'.repeat(255)}`,
    '/call?uniqueid=nobody',
    '/call/correct?uniqueid=twice',
    `/call/correct?uniqueid=twice&take=${(await site.ids(`reason = 'conflict'`))[0]}`,
    `/call/void?uniqueid=${'y'.repeat(255)}`,
    '/activity',
    '/feeds',
    '/nowhere',
  ];
}, 300_000);

afterAll(async () => {
  await browser?.close();
  await consoleProcess?.stop();
  await site?.close();
});

async function signedIn(settings: Parameters<Browser['newPage']>[0]): Promise<Page> {
  const page = await browser.newPage(settings);
  await page.goto(`${origin}/sign-in`);
  await page.getByLabel('Username').fill('boss');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  return page;
}

/** What is wrong with the page as it stands. */
async function faultsOf(page: Page, rules: 'all' | 'colours' = 'all'): Promise<string[]> {
  const overflow = await overflowOf(page);
  const tooWide = overflow > 0 ? [`wider than its window by ${overflow} pixels`] : [];
  return [...tooWide, ...(await violationsOn(page, rules))];
}

const MANY_PAGES_MS = 400_000;

const WIDE = { width: 1280, height: 720 };
const NARROW = { width: 320, height: 640 };

/** Each page is loaded once and looked at in all of these ways. Where nothing but colours differs, no other rule is tried again. */
const LOOKS = [
  ['in light', WIDE, { colorScheme: 'light', forcedColors: 'none' }, 'all'],
  ['in dark', WIDE, { colorScheme: 'dark', forcedColors: 'none' }, 'colours'],
  ['in forced colours', WIDE, { colorScheme: 'light', forcedColors: 'active' }, 'colours'],
  ['on a phone', NARROW, { colorScheme: 'light', forcedColors: 'none' }, 'all'],
  ['on a phone in dark', NARROW, { colorScheme: 'dark', forcedColors: 'none' }, 'colours'],
] as const;

describe('every page of the console', () => {
  it(
    'keeps the rules of WCAG 2.2 AA and is as wide as its window: in light, in dark, in forced colours and on a phone',
    async () => {
      // Without motion colours change at once.
      const page = await signedIn({ reducedMotion: 'reduce' });
      const found: Record<string, string[]> = {};
      const look = async (at: string) => {
        for (const [how, viewport, media, rules] of LOOKS) {
          await page.setViewportSize(viewport);
          await page.emulateMedia(media);
          const faults = await faultsOf(page, rules);
          if (faults.length > 0) found[`${at} ${how}`] = faults;
        }
      };
      for (const path of [...paths, '/sign-in']) {
        await page.goto(`${origin}${path}`);
        await look(path);
      }
      await page.goto(`${origin}/dead-letters/list?answer_key=cots`);
      await page.getByLabel('With').selectOption('all');
      await page.getByRole('button', { name: 'Correct…' }).click();
      await page.getByRole('heading', { level: 1, name: /^Correct \d+ dead letters/ }).waitFor();
      await look('/correct');
      await page.close();
      expect(found).toEqual({});
    },
    MANY_PAGES_MS,
  );
});

/** On a phone, where each page that is reached is looked at as well. */
describe('the keyboard alone', () => {
  const PHONE = { viewport: NARROW };

  /** Waits for a page by its heading. */
  async function reached(page: Page, name: string | RegExp): Promise<void> {
    await page
      .getByRole('heading', { level: 1, name, ...(typeof name === 'string' && { exact: true }) })
      .waitFor();
    expect({ [String(name)]: await faultsOf(page) }).toEqual({ [String(name)]: [] });
  }

  /** Opens the dead letters of a problem, from wherever the page is. */
  async function openProblem(page: Page, name: string): Promise<void> {
    await tabTo(page, 'link', 'Dead letters', STOPS);
    await page.keyboard.press('Enter');
    await reached(page, 'Dead letters by problem');
    await tabTo(page, 'link', name, STOPS);
    await page.keyboard.press('Enter');
    await reached(page, `Dead letters: ${name.replace(':', ',')}`);
  }

  it(
    'finds a problem, discards three of its dead letters with a reason, and undoes that',
    async () => {
      const page = await signedIn(PHONE);
      await openProblem(page, 'rejected: cots');
      for (let ticked = 0; ticked < 3; ticked += 1) {
        await tabTo(page, 'checkbox', /^Choose/, 2 * STOPS, ticked);
        await page.keyboard.press('Space');
      }
      await tabTo(page, 'button', 'Discard…', 2 * STOPS, 0, 'Shift+Tab');
      await page.keyboard.press('Enter');
      await reached(page, 'Discard 3 dead letters?');
      await tabTo(page, 'textbox', /^Reason/, STOPS);
      await page.keyboard.type('a test of the switch');
      await tabTo(page, 'button', 'Discard 3 dead letters', STOPS);
      await page.keyboard.press('Enter');
      await reached(page, 'Discarded');
      expect(await site.ids(`status = 'discarded'`)).toHaveLength(3);
      await tabTo(page, 'button', /^Undo/, STOPS);
      await page.keyboard.press('Enter');
      await page.getByText('Opened again: 3.').waitFor();
      expect(await site.ids(`status = 'discarded'`)).toEqual([]);
      await page.close();
    },
    MANY_PAGES_MS,
  );

  it(
    'dry-runs all of a problem, and replays what was tried',
    async () => {
      await site.db.execute(
        `insert into customers (id, name, currency) values (4711, 'Harbour Hotel', 'EUR')`,
      );
      const open = `responses @> '[{"key": "scustomer"}]' and status = 'dead'`;
      expect((await site.ids(open)).length).toBeGreaterThan(50);
      const page = await signedIn(PHONE);
      await openProblem(page, 'rejected: scustomer');
      await tabTo(page, 'combobox', /^With/, STOPS);
      await page.keyboard.press('End');
      await tabTo(page, 'button', 'Dry run…', STOPS);
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: /^Replay/ }).waitFor();
      await reached(page, /^Dry run/);
      expect((await site.ids(open)).length).toBeGreaterThan(50);
      await tabTo(page, 'button', /^Replay/, 2 * STOPS);
      await page.keyboard.press('Enter');
      await reached(page, /^Replay/);
      await expect.poll(() => site.ids(open), { timeout: 30_000 }).toEqual([]);
      await page.close();
    },
    MANY_PAGES_MS,
  );

  it('reaches the actions of a list in few steps, however long it is', async () => {
    const page = await signedIn({});
    await page.goto(`${origin}/dead-letters/list?status=`);
    expect(await page.getByRole('checkbox', { name: /^Choose/ }).count()).toBe(50);
    expect(await tabTo(page, 'button', 'Dry run…', STOPS)).toBeLessThanOrEqual(STOPS);
    await page.close();
  });
});
