// Signed links: the badge in another site's page, the gate in another site's frame, the customer's page.

import AxeBuilder from '@axe-core/playwright';
import { mkdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { expect, type Page, pages, test } from '../desk.ts';
import type { Lab } from '../lab.ts';

const directory = process.env.GATEPOST_SCREENSHOTS ?? '';

interface Issued {
  id: number;
  token: string;
  url: string;
  snippets: { kind: string; text: string }[];
}

async function issue(lab: Lab, job: number, kind: 'badge' | 'customer'): Promise<Issued> {
  return lab.must('technician', 'POST', `/migration/jobs/${job}/links`, { kind, label: 'ticket 4711' });
}

function snippet(link: Issued, kind: string): string {
  return link.snippets.find((one) => one.kind === kind)?.text ?? '';
}

/** A site of somebody else: another host name is another origin and another site. */
async function elsewhere(body: string): Promise<{ url: string; server: Server }> {
  const server = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html; charset=utf-8');
    answer.end(`<!doctype html><title>Tickets</title><h1>Ticket 4711</h1>${body}`);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://localhost:${address.port}/`, server };
}

async function obstacles(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(' ')).join(', ')}`);
}

async function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

test('the badge and the small page are shown by a page of another site', async ({ desk, moved }) => {
  desk.expectTrouble(/^a request left the Desk: http:\/\/localhost:/);
  desk.expectTrouble(/^404 \/favicon.ico/);
  const link = await issue(desk.lab, moved.job, 'badge');
  const { url, server } = await elsewhere(snippet(link, 'image_html') + snippet(link, 'frame_html'));
  try {
    const page = await desk.stranger();
    await page.goto(url);
    const badge = page.getByRole('img', { name: 'padaria.test' });
    await expect.poll(() => badge.evaluate((image) => (image as HTMLImageElement).naturalWidth)).toBeGreaterThan(150);
    const frame = page.frameLocator('iframe');
    await expect(frame.getByRole('heading', { name: 'padaria.test' })).toBeVisible();
    await expect(frame.getByText('DNS gate: Blocked')).toBeVisible();
    await expect(frame.getByRole('list', { name: 'Checks' }).getByRole('listitem')).toHaveCount(8);
    expect(await page.context().cookies(), 'nothing is kept about the visitor').toEqual([]);
  } finally {
    server.close();
  }
});

test('no other page lets itself be framed', async ({ desk, moved }) => {
  desk.expectTrouble(/^a request left the Desk: http:\/\/localhost:/);
  desk.expectTrouble(/^404 /);
  desk.expectTrouble(/frame-ancestors|X-Frame-Options|Refused to display|ERR_BLOCKED_BY_RESPONSE/);
  const badge = await issue(desk.lab, moved.job, 'badge');
  const customer = await issue(desk.lab, moved.job, 'customer');
  const addresses = [
    ...pages(moved).map(({ path }) => desk.lab.url + path),
    `${desk.lab.url}/api/docs`,
    customer.url,
    badge.url,
  ];
  for (const address of addresses) {
    const { url, server } = await elsewhere(`<iframe title="framed" src="${address}"></iframe>`);
    const page = await desk.stranger();
    await page.goto(url);
    // What a browser shows instead lives in a process of its own, which takes its time.
    const frame = () => page.frames().find((one) => one !== page.mainFrame());
    await expect.poll(() => frame()?.url() ?? '', address).toMatch(/^chrome-error:/);
    const shown = await frame()?.evaluate(() => document.body?.innerText ?? '').catch(() => '');
    expect.soft(shown ?? '', address).not.toContain('padaria');
    await page.context().close();
    server.close();
  }
});

for (const [language, title, answer] of [
  ['en', 'Moving the mail of padaria.test', 'Has everything arrived?'],
  ['pt-BR', 'Migração dos e‑mails de padaria.test', 'Tudo chegou?'],
] as const) {
  test(`the customer reads how far the move has come, in ${language}, without a script`, async ({ desk, moved }) => {
    const link = await issue(desk.lab, moved.job, 'customer');
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const viewport of [{ width: 1280, height: 900 }, { width: 390, height: 844 }]) {
        const page = await desk.stranger({ locale: language, colorScheme, viewport });
        await page.goto(link.url);
        await expect(page.getByRole('heading', { level: 1 })).toHaveText(title);
        await expect(page.getByRole('heading', { name: answer })).toBeVisible();
        await expect(page.getByRole('list').filter({ has: page.locator('[aria-current="step"]') })).toBeVisible();
        expect.soft(await obstacles(page), `${colorScheme} ${viewport.width}`).toEqual([]);
        expect.soft(await overflow(page), `${colorScheme} ${viewport.width}`).toBeLessThanOrEqual(0);
        const text = await page.locator('body').innerText();
        for (const name of ['@', 'localhost', 'Teresa', 'Tenant', 'Dovecot', 'maria', 'joao']) {
          expect.soft(text, name).not.toContain(name);
        }
        expect(await page.evaluate(() => document.scripts.length)).toBe(0);
        await page.context().close();
      }
    }
    const page = await desk.stranger({ locale: language, javaScriptEnabled: false });
    await page.goto(link.url);
    const [other, heading] =
      language === 'en' ? ['Português', 'Migração dos e‑mails de padaria.test'] : ['English', 'Moving the mail of padaria.test'];
    await page.getByRole('link', { name: other }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(heading);
    expect(await page.context().cookies()).toEqual([]);
  });
}

test('a link is made, copied, used and revoked at the Desk', async ({ desk, moved }) => {
  desk.expectTrouble(/^403 \/c\//);
  const page = await desk.as('technician', { permissions: ['clipboard-read', 'clipboard-write'] });
  await page.goto(`/jobs/${moved.job}/report`);
  const section = page.getByRole('region', { name: 'Links', exact: true });
  await section.getByLabel('What it shows').selectOption({ label: "Customer's page" });
  await section.getByLabel('Where it is used').fill('mail to Ms Souza');
  await section.getByLabel('Days until it ends').fill('30');
  await section.getByRole('button', { name: 'Make the link' }).click();
  const issued = page.getByRole('region', { name: /^New link/ });
  const address = (await issued.locator('pre').innerText()).trim();
  expect(address).toContain(`${desk.lab.url}/c/`);
  await expect(page.locator('html')).toHaveAttribute('data-alive');
  await issued.getByRole('button', { name: 'Copy' }).click();
  await expect(issued.getByRole('button', { name: 'Copied' })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(address);
  const visitor = await desk.stranger();
  await visitor.goto(address);
  await expect(visitor.getByRole('heading', { level: 1 })).toHaveText('Moving the mail of padaria.test');
  await page.goto(`/jobs/${moved.job}/report`);
  await expect(issued).toHaveCount(0);
  const row = section.getByRole('row', { name: /mail to Ms Souza/ });
  await row.getByText('Revoke …').click();
  await row.getByRole('button', { name: 'Revoke the link' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'The link is refused from now on.' })).toBeVisible();
  await expect(section.getByRole('row', { name: /mail to Ms Souza/ })).toContainText('Revoked');
  await visitor.reload();
  await expect(visitor.getByRole('heading', { level: 1 })).toHaveText('Link not valid');
});

test('what links open can be pictured @screenshots', async ({ desk, moved }) => {
  test.setTimeout(600_000);
  desk.expectTrouble(/^a request left the Desk: http:\/\/localhost:/);
  desk.expectTrouble(/^404 \/favicon.ico/);
  desk.expectTrouble(/^403 /);
  await mkdir(directory, { recursive: true });
  const badge = await issue(desk.lab, moved.job, 'badge');
  const customer = await issue(desk.lab, moved.job, 'customer');
  const frame = (/src="([^"]+)"/.exec(snippet(badge, 'frame_html')) ?? [])[1]!;
  for (const language of ['en', 'pt-BR']) {
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const [width, viewport] of Object.entries({ wide: { width: 1000, height: 800 }, narrow: { width: 390, height: 844 } })) {
        const file = (part: string) => join(directory, `${part}.${width}.${colorScheme}.${language}.png`);
        const page = await desk.stranger({ locale: language, colorScheme, viewport });
        const images = ['light', 'dark', 'auto'].map((theme) => `<p><img src="${badge.url}&theme=${theme}&lang=${language}">`);
        const { url, server } = await elsewhere(
          `<meta name="color-scheme" content="light dark">${images.join('')}<p><img src="${badge.url}x">` +
            `<p><iframe src="${frame}&lang=${language}" width="360" height="300"></iframe>` +
            `<iframe src="${frame}x" width="360" height="120"></iframe>`,
        );
        await page.goto(url);
        await page.waitForLoadState('networkidle');
        await page.screenshot({ path: file('link-elsewhere'), fullPage: true });
        server.close();
        await page.goto(customer.url);
        await page.screenshot({ path: file('link-customer'), fullPage: true });
        await page.goto(`${customer.url}x`);
        await page.screenshot({ path: file('link-refused'), fullPage: true });
        await page.context().close();
      }
    }
  }
});
