// The dashboard on the overview: charts that are drawn on the server, the same figures as a table, and when it ends.

import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '../desk.ts';
import { section } from '../steps.ts';

const CHARTS = ['Throughput', 'Messages copied', 'Errors', 'Runs at work'];

/** The overview, as soon as what was copied has been written down. */
async function measured(page: Page, range = '24h'): Promise<void> {
  await expect(async () => {
    await page.goto(`/?range=${range}`);
    await expect(section(page, 'Over time').getByRole('img').first()).toBeVisible({ timeout: 2_000 });
    expect(await fact(page, 'Messages copied')).toBeGreaterThan(0);
  }).toPass({ timeout: 120_000, intervals: [500] });
}

/** A figure of the facts above the charts. */
async function fact(page: Page, name: string): Promise<number> {
  const facts = section(page, 'Over time').locator('.fact').filter({ has: page.getByText(name, { exact: true }) });
  return Number((await facts.locator('dd').innerText()).replace(/\D/g, ''));
}

test('charts are drawn without a script, say what they show, and stand as a table too', async ({ desk, moved }) => {
  expect(moved.job).toBeGreaterThan(0);
  const page = await desk.as('technician', { javaScriptEnabled: false });
  await measured(page);
  const over = section(page, 'Over time');
  for (const name of CHARTS) {
    // The accessible name is the title and what the picture says.
    const chart = over.getByRole('img', { name: new RegExp(`^${name} .*Highest: `) });
    await expect(chart).toBeVisible();
    await expect(chart.locator('path').first()).toBeAttached();
  }
  // What was copied is drawn: a bar for messages, and ground below the line of throughput.
  const bars = over.getByRole('img', { name: /^Messages copied/ }).locator('.bars');
  expect(await bars.getAttribute('d')).toContain('V');
  await over.getByText('The figures as a table').click();
  const table = over.getByRole('table');
  await expect(table).toBeVisible();
  const heads = await table.getByRole('columnheader').allInnerTexts();
  const column = heads.indexOf('Messages copied');
  expect(column, heads.join()).toBeGreaterThan(0);
  const figures = await table.locator('tbody tr').evaluateAll(
    (rows, at) => rows.map((row) => Number((row.children[at]?.textContent ?? '').replace(/\D/g, ''))),
    column,
  );
  expect(figures.length).toBeGreaterThan(0);
  expect(figures.reduce((sum, one) => sum + one, 0)).toBe(await fact(page, 'Messages copied'));
});

test('another time is a link, and what makes no sense shows a day', async ({ desk, moved }) => {
  expect(moved.job).toBeGreaterThan(0);
  const page = await desk.as('technician', { javaScriptEnabled: false });
  await measured(page);
  const ranges = section(page, 'Over time').getByRole('navigation', { name: 'Time shown' });
  await expect(ranges.getByRole('link', { name: '24 hours' })).toHaveAttribute('aria-current', 'true');
  for (const [name, range] of [
    ['7 days', '7d'],
    ['90 days', '90d'],
  ] as const) {
    await ranges.getByRole('link', { name }).click();
    await expect(page).toHaveURL(new RegExp(`[?&]range=${range}\\b`));
    await expect(ranges.getByRole('link', { name })).toHaveAttribute('aria-current', 'true');
    expect(await fact(page, 'Messages copied')).toBeGreaterThan(0);
    expect(await section(page, 'Over time').locator('.slot').count()).toBeGreaterThan(0);
  }
  await page.goto("/?range=1%27%20OR%201=1");
  await expect(ranges.getByRole('link', { name: '24 hours' })).toHaveAttribute('aria-current', 'true');
});

test('charts have no obstacle and fit, in both themes and languages, wide and narrow', async ({ desk, moved }) => {
  test.setTimeout(600_000);
  expect(moved.job).toBeGreaterThan(0);
  await measured(await desk.as('technician'));
  for (const [theme, language, width] of [
    ['light', 'en', 1280],
    ['dark', 'pt-BR', 1280],
    ['light', 'pt-BR', 390],
    ['dark', 'en', 390],
  ] as const) {
    const page = await desk.as('technician', { viewport: { width, height: 900 } });
    await page.context().addCookies([
      { name: 'gatepost_theme', value: theme, url: desk.lab.url },
      { name: 'gatepost_lang', value: language, url: desk.lab.url },
    ]);
    await page.goto('/');
    await page.locator('.figures-below > summary').click();
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect.soft(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(' '))}`)).toEqual([]);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect.soft(wider, `${width} ${theme}`).toBeLessThanOrEqual(0);
    for (const chart of await page.locator('.chart svg').all()) {
      const box = await chart.boundingBox();
      expect.soft(box?.width ?? 0, 'a picture is as wide as there is room').toBeGreaterThan(width === 390 ? 180 : 300);
      expect.soft(box?.height ?? 0).toBeGreaterThan(80);
    }
    await page.context().close();
  }
});
