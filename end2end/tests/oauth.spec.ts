// OAuth 2 in the browser: applications, consents in all ways, a consent that is revoked and renewed. The provider is the
// test kit's, and the mail server asks it about each token.

import AxeBuilder from '@axe-core/playwright';
import { type Desk, expect, makeJob, type Page, test } from '../desk.ts';
import type { Lab, MailboxName } from '../lab.ts';
import { fill, section } from '../steps.ts';

const APP = 'Desk at the provider';

/** A browser leaves the Desk on purpose; Chromium asks any site for an icon. */
function awayIsAllowed(desk: Desk): void {
  desk.expectTrouble(/^a request left the Desk: http:\/\/127\.0\.0\.1:/);
  desk.expectTrouble(/^404 \/favicon\.ico$/);
}

/** Jobs so far: each has a domain of its own. */
let scenes = 0;

/** A job with one mailbox that is opened by OAuth 2. */
async function scene(lab: Lab, name: MailboxName, domain = `job-${++scenes}.consente.test`) {
  const { job } = await makeJob(lab, domain, [await lab.oauthMailbox(name)]);
  const mailboxes = await lab.must('technician', 'GET', `/migration/jobs/${job}/mailboxes`);
  return { job, mailbox: mailboxes[0].id as number };
}

/** Registers the application by the form, unless it is there. */
async function register(desk: Desk): Promise<void> {
  const provider = await desk.lab.provider();
  const page = await desk.as('ops_lead');
  await page.goto('/settings/oauth');
  if (await page.getByRole('link', { name: APP, exact: true }).count()) return page.context().close();
  await expect(section(page, 'Redirect address')).toContainText(`${desk.lab.url}/oauth/callback`);
  const form = section(page, 'New application');
  await form.getByText('Addresses of another provider').click();
  await form.getByLabel('Name').fill(APP);
  await form.getByLabel('Provider', { exact: true }).selectOption('custom');
  await form.getByLabel('Client id').fill(provider.clientId);
  await form.getByLabel('Client secret').fill(provider.clientSecret);
  await form.getByLabel('Authorization address').fill(`${provider.url}/authorize`);
  await form.getByLabel('Token address').fill(`${provider.url}/token`);
  await form.getByLabel('Device code address').fill(`${provider.url}/device/code`);
  await form.getByLabel('Revocation address').fill(`${provider.url}/revoke`);
  await form.getByLabel('Scopes').fill('mail offline_access');
  await form.getByLabel('Mail servers').fill(`127.0.0.1:${provider.imapPort}`);
  await form.getByRole('button', { name: 'Register' }).click();
  await told(page, 'The application is registered here.');
  await expect(page.getByText(provider.clientSecret)).toHaveCount(0);
  await page.context().close();
}

/** Asks for a consent of the mailbox in a way. */
async function ask(page: Page, mailbox: number, way: string): Promise<void> {
  await page.goto(`/mailboxes/${mailbox}/consent`);
  await page.getByLabel('Application and way').selectOption({ label: `${APP} · ${way}` });
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await expect(card(page)).toContainText('Waiting for consent');
}

const card = (page: Page) => page.getByRole('region', { name: new RegExp(`^${APP} · `) });

/** Consents at the provider's page. */
async function allow(page: Page, lab: Lab, name: MailboxName): Promise<void> {
  const { email, sourcePassword } = lab.accounts[name];
  await expect(page.getByRole('heading', { name: 'Consent' })).toBeVisible();
  await fill(page, { Account: email, Password: sourcePassword });
  await page.getByRole('button', { name: 'Allow' }).click();
}

/** Starts a preflight, or the one again that failed; answers how it ended. */
async function preflight(lab: Lab, job: number): Promise<string[]> {
  const { items } = await lab.must('technician', 'GET', `/migration/jobs/${job}/runs`);
  const again = items[0]?.status === 'failed';
  return lab.runToEnd(again ? `/migration/runs/${items[0].id}/retry` : `/migration/jobs/${job}/preflight`);
}

/** What has just happened, as the page says it. */
async function told(page: Page, text: string): Promise<void> {
  await expect(page.getByRole('status').filter({ hasText: text })).toBeVisible();
}

async function accessible(page: Page): Promise<void> {
  const found = await new AxeBuilder({ page }).analyze();
  expect(found.violations.map((one) => `${one.id}: ${one.nodes[0]?.html}`)).toEqual([]);
}

for (const javaScriptEnabled of [true, false]) {
  test(`an owner consents, takes it back and consents again, ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async ({
    desk,
    lab,
  }) => {
    awayIsAllowed(desk);
    await register(desk);
    const { job, mailbox } = await scene(lab, 'consenting');
    expect(await preflight(lab, job)).toEqual(['failed']);
    const page = await desk.as('technician', { javaScriptEnabled });
    await page.goto(`/mailboxes/${mailbox}`);
    await expect(page.getByText('has neither a consent nor an OAuth token')).toBeVisible();
    await page.getByRole('link', { name: 'Renew the consent' }).click();
    await ask(page, mailbox, 'by its owner, in the browser');
    if (javaScriptEnabled) await accessible(page);
    await page.getByRole('link', { name: 'Go to the provider and consent' }).click();
    await allow(page, lab, 'consenting');
    await told(page, 'The consent was given.');
    await expect(card(page)).toContainText('Given');
    expect(page.url()).not.toContain('code=');
    expect(await preflight(lab, job)).toEqual(['success']);

    await lab.turn('revoke', { user: lab.accounts.consenting.email });
    expect(await preflight(lab, job)).toEqual(['failed']);
    await page.goto(`/mailboxes/${mailbox}`);
    await expect(page.getByText('The consent has lapsed or was revoked').first()).toBeVisible();
    await page.getByRole('link', { name: 'Renew the consent' }).click();
    await expect(card(page)).toContainText('Expired');
    await page.getByRole('link', { name: 'Renew the consent at the provider' }).click();
    await allow(page, lab, 'consenting');
    await expect(card(page)).toContainText('Given');
    expect(await preflight(lab, job)).toEqual(['success']);
  });
}

test('an owner who says no is told so, and nothing is stored', async ({ desk, lab }) => {
  awayIsAllowed(desk);
  await register(desk);
  const { mailbox } = await scene(lab, 'consenting');
  const page = await desk.as('technician');
  await ask(page, mailbox, 'by its owner, in the browser');
  await page.getByRole('link', { name: 'Go to the provider and consent' }).click();
  await page.getByRole('button', { name: 'Refuse' }).click();
  await expect(page.getByText('There is no consent. The reason stands below.')).toBeVisible();
  await expect(card(page)).toContainText('The user said no');
});

test('an owner types a code in on another device', async ({ desk, lab }) => {
  awayIsAllowed(desk);
  await register(desk);
  const { job, mailbox } = await scene(lab, 'consenting');
  const page = await desk.as('technician', { javaScriptEnabled: false });
  await ask(page, mailbox, 'by its owner, with a code');
  await page.getByRole('button', { name: 'Get a code' }).click();
  const code = await card(page).locator('pre').innerText();
  const there = (await card(page).getByRole('link', { name: /\/device$/ }).getAttribute('href')) ?? '';

  const phone = await desk.stranger({ viewport: { width: 390, height: 800 } });
  await phone.goto(there);
  const { email, sourcePassword } = lab.accounts.consenting;
  await fill(phone, { Code: code, Account: email, Password: sourcePassword });
  await phone.getByRole('button', { name: 'Allow' }).click();

  await expect(async () => {
    await page.goto(`/mailboxes/${mailbox}/consent`);
    await expect(card(page)).toContainText('Given', { timeout: 2_000 });
  }).toPass({ timeout: 120_000 });
  expect(await preflight(lab, job)).toEqual(['success']);
});

test('a link leads the owner to consent on a phone, without a log-in at the Desk', async ({ desk, lab }) => {
  awayIsAllowed(desk);
  desk.expectTrouble(/^403 \/consent\//);
  await register(desk);
  const { job, mailbox } = await scene(lab, 'consenting');
  const page = await desk.as('technician');
  await ask(page, mailbox, 'by its owner, in the browser');
  await page.getByText('Let the owner do it').click();
  await page.getByRole('button', { name: 'Make a link' }).click();
  const link = await section(page, 'Link for the owner').locator('pre').innerText();

  const owner = await desk.stranger({ viewport: { width: 390, height: 800 }, locale: 'pt-BR' });
  await owner.goto(link);
  await expect(owner.getByRole('heading', { name: 'Dê acesso à sua caixa de e-mail' })).toBeVisible();
  await accessible(owner);
  expect(await owner.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await owner.getByRole('link', { name: /^Continuar para/ }).click();
  await allow(owner, lab, 'consenting');
  await expect(owner.getByRole('heading', { name: 'Obrigado' })).toBeVisible();
  await owner.goto(link);
  await expect(owner.getByRole('heading', { level: 1 })).not.toContainText('Dê acesso');

  await page.goto(`/mailboxes/${mailbox}/consent`);
  await expect(card(page)).toContainText(`owner of ${lab.accounts.consenting.email}`);
  expect(await preflight(lab, job)).toEqual(['success']);
});

test('an administrator lets a service account in for all mailboxes of a job', async ({ desk, lab }) => {
  const provider = await lab.provider();
  const { job } = await scene(lab, 'delegated', 'consente.test');
  await lab.turn('delegate', { delegated: 'false' });
  const page = await desk.as('ops_lead');
  await page.goto('/settings/oauth');
  const form = section(page, 'New application');
  await form.getByText('Addresses of another provider').click();
  await form.getByText('Certificate or service account instead of a secret').click();
  await form.getByLabel('Name').fill('Whole domain');
  await form.getByLabel('Provider', { exact: true }).selectOption('custom');
  await form.getByLabel('Key of a service account').fill(provider.serviceAccount);
  await form.getByLabel('Scopes').fill('mail');
  await form.getByLabel('Mail servers').fill(`127.0.0.1:${provider.imapPort}`);
  await form.getByRole('button', { name: 'Register' }).click();
  await expect(page.getByRole('heading', { name: 'Whole domain', level: 1 })).toBeVisible();

  await page.goto(`/jobs/${job}/consents`);
  await page.getByLabel('Application and way').selectOption({ label: 'Whole domain · by an administrator, for a service account' });
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  const whole = page.getByRole('region', { name: /^Whole domain · / });
  await expect(whole).toContainText('Waiting for consent');
  await whole.getByRole('button', { name: 'Try it' }).click();
  await expect(whole).toContainText('Failed');
  await lab.turn('delegate', { delegated: 'true' });
  await whole.getByRole('button', { name: 'Try it' }).click();
  await told(page, 'The provider has given a token.');
  await expect(whole).toContainText('Given');
  await accessible(page);
  expect(await preflight(lab, job)).toEqual(['success']);
});
