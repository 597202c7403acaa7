// The steps of a migration as a person takes them in the Desk. They use plain links, fields and buttons, so that they
// are the same with and without JavaScript. A refusal of the browser itself never hides one of the server.

import { expect, type Page } from './desk.ts';

/** Fills the fields with these labels. */
export async function fill(page: Page, fields: Record<string, string>): Promise<void> {
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
}

/** A section by its heading. */
export const section = (page: Page, name: string) => page.getByRole('region', { name, exact: true });

/** The button that starts a run. */
export const start = (page: Page, name: string) =>
  section(page, 'Next steps').getByRole('button', { name, exact: true });

/** Presses the button that starts a run, where none is at work, and sees that the Desk took it: the page that follows
 * has a new newest run. That something was started may stand on the page before, too. */
export async function press(page: Page, name: string): Promise<void> {
  const runs = section(page, 'Run history').getByRole('rowheader');
  const before = await runs.count();
  await start(page, name).click();
  await expect(runs).toHaveCount(before + 1);
  await expect(runs.first()).toHaveText(new RegExp(`^${name} #`));
  await expect(page.getByRole('status').filter({ hasText: 'Started.' })).toBeVisible();
}

/** The newest row of the run history. */
export const newestRun = (page: Page) => section(page, 'Run history').getByRole('row').nth(1);

/** The value beside a name. */
export const fact = (page: Page, name: string) =>
  page.locator('.fact').filter({ has: page.getByText(name, { exact: true }) }).locator('dd');

/** Notes in a page that it is this one; what is answered tells whether it still is, and was not loaded anew. */
export async function mark(page: Page): Promise<() => Promise<boolean>> {
  const sign = Math.random().toString(36);
  await page.evaluate((sign) => Object.assign(window, { sign }), sign);
  return () => page.evaluate((sign) => (window as { sign?: string }).sign === sign, sign);
}

/** The current step of the phase rail. */
export const phase = (page: Page) => page.getByRole('list', { name: 'Phases of the job' }).locator('[aria-current=step]');

/** Takes away the checks that the browser makes before it posts, so that the server's are seen. */
export async function withoutBrowserChecks(page: Page): Promise<void> {
  await page.locator('form').evaluateAll((forms) => forms.forEach((form) => (form.noValidate = true)));
  await page.locator('[maxlength]').evaluateAll((fields) => fields.forEach((field) => field.removeAttribute('maxlength')));
}
