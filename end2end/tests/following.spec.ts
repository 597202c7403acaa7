// A living page at the moment its run ends: it loads itself anew, but takes nothing from the person who is at work in it.

import type { Request, Route } from '@playwright/test';
import { alive, type Desk, expect, makeJob, type Page, test } from '../desk.ts';
import { newestRun } from '../steps.ts';

/** The page of a job whose preflight waits for its turn; what is answered with it lets the run go on to its end. */
async function waiting(desk: Desk, domain: string, prepare = async (_: Page) => {}) {
  const { job } = await makeJob(desk.lab, domain, [desk.lab.mailbox('moved')]);
  const goOn = await desk.lab.pause(job);
  await desk.lab.must('technician', 'POST', `/migration/jobs/${job}/preflight`, {});
  const page = await desk.as('technician');
  await prepare(page);
  await page.goto(`/jobs/${job}`);
  await alive(page);
  await expect(page.locator('.live')).toBeVisible();
  const end = async () => {
    await goOn();
    await desk.lab.idle(job);
  };
  return { job, page, end };
}

test('a page is loaded anew when its run ends', async ({ desk }) => {
  const { page, end } = await waiting(desk, 'fim.test');
  await end();
  await expect(newestRun(page)).toContainText('Success');
  await expect(page.locator('.live')).toHaveCount(0);
});

test('a page that is left at the moment its run ends is left', async ({ desk }) => {
  // Its clock stands still, so that nothing in it depends on how long the next page lets itself be waited for.
  const { job, page, end } = await waiting(desk, 'saida.test', (one) => one.clock.install());
  await page.clock.pauseAt(Date.now() + 3_600_000);
  const again: string[] = [];
  page.on('request', (request: Request) => {
    if (request.isNavigationRequest() && request.url().endsWith(`/jobs/${job}`)) again.push(request.url());
  });
  // While a page is being left nobody else can ask it what it shows: it tells by itself.
  let said = '';
  await page.exposeFunction('tell', (text: string) => (said = text));
  await page.evaluate(() => {
    const badge = document.querySelector('.live-head .badge')!;
    const tell = (window as unknown as { tell: (text: string) => void }).tell;
    new MutationObserver(() => tell(badge.textContent ?? '')).observe(badge, { subtree: true, childList: true, characterData: true });
  });
  let [asked, letGo] = [() => {}, () => {}];
  const leaving = new Promise<void>((done) => (asked = done));
  const free = new Promise<void>((done) => (letGo = done));
  await page.route('**/tickets', async (route: Route) => {
    asked();
    await free;
    await route.continue().catch(() => {});
  });
  const menu = page.getByRole('navigation', { name: 'Main' });
  await menu.getByRole('link', { name: 'Tickets' }).click({ noWaitAfter: true });
  await leaving;
  await end();
  // The page has heard of the end, and that was the moment to load itself anew.
  await expect.poll(() => said).toContain('Success');
  letGo();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Tickets');
  expect(again, 'the page was not loaded anew').toEqual([]);
});
