// Every page by axe, in both themes, wide and narrow; and the ways of a keyboard.

import AxeBuilder from '@axe-core/playwright';
import { alive, expect, type Page, test } from '../desk.ts';

const VIEWPORTS = { wide: { width: 1280, height: 900 }, narrow: { width: 390, height: 844 } };

for (const [width, viewport] of Object.entries(VIEWPORTS)) {
  for (const theme of ['light', 'dark']) {
    test(`no page has an obstacle, ${width} and ${theme}`, async ({ desk, moved }) => {
      test.setTimeout(1_200_000);
      desk.expectTrouble(/^404 \/jobs\/999999$/);
      for await (const { name, path, page } of desk.tour(moved, { viewport })) {
        await page.context().addCookies([{ name: 'gatepost_theme', value: theme, url: desk.lab.url }]);
        await page.goto(path);
        await expect(page.locator('html')).toHaveAttribute('data-theme', theme);
        await alive(page);
        expect.soft(await obstacles(page), `${name}: ${path}`).toEqual([]);
        expect.soft(await overflow(page), `${name} must not be wider than the screen`).toBeLessThanOrEqual(0);
      }
    });
  }
}

test('the approval dialog has no obstacle, keeps the focus and gives it back', async ({ desk, moved }) => {
  const page = await desk.as('super_admin');
  await page.goto(`/jobs/${moved.job}`);
  await alive(page);
  const link = page.getByRole('region', { name: 'DNS gate' }).getByRole('link', { name: 'Override …' });
  await link.focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Override the gate of padaria.test' });
  await expect(dialog).toBeVisible();
  expect(await obstacles(page)).toEqual([]);
  const inside = () => page.evaluate(() => document.activeElement?.closest('dialog') !== null);
  const left = () => page.evaluate(() => document.activeElement === document.body);
  for (let steps = 0; steps < 12; steps += 1) {
    // Between the last and the first field a browser may visit its own controls, where no element has the focus.
    expect((await inside()) || (await left()), `after ${steps} steps the focus is in the dialog`).toBe(true);
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await expect(link).toBeFocused();
  await page.keyboard.press('Enter');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(dialog).toBeHidden();
  expect(new URL(page.url()).pathname).toBe(`/jobs/${moved.job}`);
});

test('the skip link is the first stop and leads to the content', async ({ desk }) => {
  const page = await desk.as('technician');
  await page.goto('/tickets');
  await page.keyboard.press('Tab');
  const skip = page.getByRole('link', { name: 'Skip to the content' });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await page.keyboard.press('Enter');
  await expect(page.locator('#main')).toBeFocused();
});

test('a form is filled in the order of its fields', async ({ desk }) => {
  const page = await desk.as('technician');
  await page.goto('/jobs/new');
  await page.locator('#main').focus();
  const visited: string[] = [];
  for (let steps = 0; steps < 14; steps += 1) {
    await page.keyboard.press('Tab');
    const name = await page.evaluate(() => document.activeElement?.closest('main [name]')?.getAttribute('name'));
    if (name) visited.push(name);
  }
  expect(visited).toEqual([
    'domain',
    'tenant_id',
    'source_server_label',
    'dest_imap_host',
    'dest_imap_port',
    'dest_imap_security',
    'dest_insecure_tls',
    'notes',
  ]);
});

test('whatever has the focus can be seen to have it', async ({ desk, moved }) => {
  const page = await desk.as('technician');
  await page.goto(`/jobs/${moved.job}`);
  const unseen: string[] = [];
  for (let steps = 0; steps < 25; steps += 1) {
    await page.keyboard.press('Tab');
    const blind = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === null || element === document.body) return null;
      const style = getComputedStyle(element);
      const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
      return outlined || style.boxShadow !== 'none' ? null : element.outerHTML.slice(0, 120);
    });
    if (blind !== null) unseen.push(blind);
  }
  expect(unseen).toEqual([]);
});

/** What axe has to say, in short. */
async function obstacles(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.flatMap((rule) =>
    rule.nodes.map((node) => `${rule.id} (${rule.impact}): ${node.target.join(' ')}: ${node.failureSummary}`),
  );
}

/** By how many pixels a page is wider than the screen. */
const overflow = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
