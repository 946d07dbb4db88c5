import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** What axe looks at: every rule of WCAG 2.2 AA, or only those that depend on colours. */
const RULES = {
  all: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] },
  colours: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] },
};

interface AxeResult {
  id: string;
  nodes: { html: string; failureSummary?: string }[];
}

/** What breaks WCAG 2.2 AA on the page as it stands, one line each. */
export async function violationsOn(page: Page, rules: keyof typeof RULES = 'all'): Promise<string[]> {
  // The page's policy admits no script but its own; the debugger's are not the page's.
  if ((await page.evaluate('typeof axe')) === 'undefined') await page.evaluate(`${AXE}; undefined`);
  const options = JSON.stringify({ runOnly: RULES[rules], resultTypes: ['violations'] });
  const violations = await page.evaluate<AxeResult[]>(
    `axe.run(document, ${options}).then(({ violations }) => violations)`,
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(
      ({ html, failureSummary }) =>
        `${id}: ${html.slice(0, 200)} ${(failureSummary ?? '').replaceAll(/\s+/g, ' ')}`,
    ),
  );
}

/** Pixels by which the page is wider than its window. */
export async function overflowOf(page: Page): Promise<number> {
  return await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
}

/**
 * Presses Tab, or Shift+Tab, until the focus is on what has this role and name; returns how often. Throws after `most`.
 *
 * @param nth of several
 */
export async function tabTo(
  page: Page,
  role: 'link' | 'button' | 'checkbox' | 'combobox' | 'textbox',
  name: string | RegExp,
  most: number,
  nth = 0,
  key = 'Tab',
): Promise<number> {
  const target = page.getByRole(role, { name, ...(typeof name === 'string' && { exact: true }) }).nth(nth);
  for (let pressed = 1; pressed <= most; pressed += 1) {
    await page.keyboard.press(key);
    if (await target.evaluate((element) => element.matches(':focus'))) return pressed;
  }
  throw new Error(`${most} tab stops, and none of them is the ${role} ${name}`);
}
