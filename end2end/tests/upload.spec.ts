// Files as sources in the browser: chosen, cut, paused, taken up again by another page, looked into, refused, deleted;
// with JavaScript and by the plain form.

import AxeBuilder from '@axe-core/playwright';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Route } from '@playwright/test';
import { alive, type Desk, expect, makeJob, type Page, test } from '../desk.ts';
import { fill, section } from '../steps.ts';

/** A file as a person picks it. */
interface Picked {
  name: string;
  mimeType: string;
  buffer: Buffer;
}

/** An mbox of messages whose bodies weigh so much. */
function mbox(name: string, messages: number, bytes = 200, salt = 'a'): Picked {
  const parts: string[] = [];
  for (let n = 1; n <= messages; n += 1) {
    const day = String((n % 28) + 1).padStart(2, '0');
    const line = `${salt}${n} `.padEnd(75, 'lorem ipsum ');
    parts.push(
      `From ana@padaria.test Fri May ${day} 10:00:00 2024`,
      `Date: Fri, ${day} May 2024 10:00:00 +0000`,
      'From: =?UTF-8?Q?Jo=C3=A3o?= <joao@padaria.test>',
      'To: ana@padaria.test',
      `Subject: =?UTF-8?Q?P=C3=A3o_n=C2=BA?= ${n}`,
      `Message-ID: <${salt}.${name}.${n}@padaria.test>`,
      '',
      ...Array.from({ length: Math.ceil(bytes / 76) }, () => line),
      '',
    );
  }
  return { name, mimeType: 'application/mbox', buffer: Buffer.from(`${parts.join('\n')}\n`) };
}

/** A mailbox that is filled from files, in a job of its own; answers its id. */
async function mailbox(desk: Desk, domain: string, kind = 'mbox'): Promise<number> {
  const { email, destPassword } = desk.lab.accounts.filed;
  const wanted = { email, source_type: kind, dest_secret: { password: destPassword } };
  const { job } = await makeJob(desk.lab, domain, [wanted]);
  const all = await desk.lab.must('technician', 'GET', `/migration/jobs/${job}/mailboxes`);
  return (all.items ?? all)[0].id;
}

async function open(desk: Desk, id: number, options: object = {}): Promise<Page> {
  const page = await desk.as('technician', options);
  await page.goto(`/mailboxes/${id}/files`);
  if (!('javaScriptEnabled' in options)) await alive(page);
  return page;
}

const picker = (page: Page) => page.getByLabel('Files', { exact: true });
const transfer = (page: Page, name: string) =>
  page.getByRole('list', { name: 'Uploads of this page' }).getByRole('listitem').filter({ hasText: name });
const row = (page: Page, name: string) => section(page, 'Files that are here').getByRole('row').filter({ hasText: name });

/** Waits until the server has read a file through: a living page shows it by itself. */
async function isReady(page: Page, name: string, state: RegExp = /Ready/): Promise<void> {
  await expect(row(page, name)).toContainText(state, { timeout: 120_000 });
}

/** Waits until nothing is at work on a mailbox any more: a file is ready a moment before the run that has read it ends. */
async function isIdle(desk: Desk, id: number): Promise<void> {
  const { job_id: job } = await desk.lab.must('technician', 'GET', `/migration/mailboxes/${id}`);
  await desk.lab.idle(job);
}

/** The same where no script loads the page anew. */
async function isReadyPlainly(page: Page, name: string): Promise<void> {
  const state = async () => {
    await page.reload();
    return row(page, name).innerText();
  };
  await expect.poll(state, { timeout: 120_000 }).toMatch(/Ready/);
}

/** Holds the pieces of an upload from the nth on, until they are let go. */
async function hold(page: Page, from: number) {
  let pieces = 0;
  let letGo = () => {};
  const free = new Promise<void>((done) => (letGo = done));
  let bytes = 0;
  await page.route('**/api/v1/uploads/*', async (route: Route) => {
    if (route.request().method() === 'PATCH') {
      pieces += 1;
      if (pieces >= from) await free;
      bytes += route.request().postDataBuffer()?.length ?? 0;
    }
    // What the page has given up meanwhile goes nowhere.
    await route.continue().catch(() => {});
  });
  return { letGo: () => letGo(), pieces: () => pieces, bytes: () => bytes };
}

test('several files are picked at once, sent one after the other and read through', async ({ desk }) => {
  const id = await mailbox(desk, 'picked.test');
  const page = await open(desk, id);
  await expect(section(page, 'Files that are here')).toContainText('No file is here yet.');
  const held = await hold(page, 1);
  await picker(page).setInputFiles([mbox('first.mbox', 12), mbox('second.mbox', 7, 200, 'b')]);
  await expect(transfer(page, 'first.mbox')).toContainText('Sending');
  await expect(transfer(page, 'second.mbox')).toContainText('Waiting its turn');
  expect(await obstacles(page)).toEqual([]);
  held.letGo();
  await expect(row(page, 'second.mbox')).toBeVisible();
  await isReady(page, 'first.mbox');
  await isReady(page, 'second.mbox');
  await expect(row(page, 'first.mbox').getByRole('cell').nth(2)).toHaveText('12');
  await expect(row(page, 'second.mbox').getByRole('cell').nth(2)).toHaveText('7');
});

test('an upload is paused and goes on where it was', async ({ desk }) => {
  const id = await mailbox(desk, 'paused.test');
  const page = await open(desk, id);
  const file = mbox('large.mbox', 40, 200_000);
  const held = await hold(page, 3);
  await picker(page).setInputFiles(file);
  const one = transfer(page, 'large.mbox');
  await expect.poll(held.pieces).toBe(3);
  await one.getByRole('button', { name: 'Pause' }).click();
  await expect(one).toContainText('Paused');
  // Two pieces have arrived, of one and of two mebibytes at most.
  const sent = Number(await one.getByRole('progressbar').getAttribute('value'));
  expect(sent).toBeGreaterThan(0);
  expect(sent).toBeLessThan(60);
  held.letGo();
  await one.getByRole('button', { name: 'Go on' }).click();
  await expect(row(page, 'large.mbox')).toBeVisible({ timeout: 120_000 });
  await isReady(page, 'large.mbox');
  await expect(row(page, 'large.mbox').getByRole('cell').nth(2)).toHaveText('40');
});

test('a page that was closed in the middle is no loss: the same file goes on in another', async ({ desk }) => {
  const id = await mailbox(desk, 'closed.test');
  const file = mbox('archive.mbox', 50, 200_000);
  const before = await open(desk, id);
  const held = await hold(before, 3);
  await picker(before).setInputFiles(file);
  await expect.poll(held.pieces).toBe(3);
  await before.close();

  const page = await open(desk, id);
  await expect(row(page, 'archive.mbox')).toContainText('Arriving');
  await expect(row(page, 'archive.mbox')).toContainText('choose the same file again');
  const again = await hold(page, Number.MAX_SAFE_INTEGER);
  await picker(page).setInputFiles(file);
  await expect(row(page, 'archive.mbox')).not.toContainText('choose the same file again', { timeout: 120_000 });
  await isReady(page, 'archive.mbox');
  await expect(section(page, 'Files that are here').getByRole('row')).toHaveCount(2);
  expect(again.bytes()).toBeLessThan(file.buffer.length);
  expect(again.bytes()).toBeGreaterThan(0);
  const [upload] = await desk.lab.must('technician', 'GET', `/migration/mailboxes/${id}/uploads`);
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(file.buffer));
  expect(upload.sha256).toBe(Buffer.from(digest).toString('hex'));
});

test('another file of the same name and size is not mistaken for the one that was begun', async ({ desk }) => {
  const id = await mailbox(desk, 'other.test');
  const before = await open(desk, id);
  const held = await hold(before, 3);
  await picker(before).setInputFiles(mbox('same.mbox', 60, 200_000));
  await expect.poll(held.pieces).toBe(3);
  await before.close();

  const page = await open(desk, id);
  const again = await hold(page, 1);
  await picker(page).setInputFiles(mbox('same.mbox', 60, 200_000, 'b'));
  await expect(transfer(page, 'same.mbox')).toContainText('its bytes are others');
  again.letGo();
  await expect(row(page, 'same.mbox')).toHaveCount(2, { timeout: 120_000 });
});

test('a line that is cut is tried again until all has arrived', async ({ desk }) => {
  desk.expectTrouble(/ERR_FAILED|ERR_CONNECTION|ERR_INTERNET/);
  const id = await mailbox(desk, 'cut.test');
  const page = await open(desk, id);
  // It stays cut until the page has said so; later every second piece is cut.
  let [seen, cuts, pieces] = [false, 0, 0];
  await page.route('**/api/v1/uploads/*', async (route) => {
    const cut = route.request().method() === 'PATCH' && (!seen || (pieces += 1) % 2 === 0);
    if (cut) cuts += 1;
    await (cut ? route.abort('connectionreset') : route.continue());
  });
  await picker(page).setInputFiles(mbox('bad-line.mbox', 20, 200_000));
  await expect(transfer(page, 'bad-line.mbox')).toContainText('trying again');
  seen = true;
  const before = cuts;
  await expect(row(page, 'bad-line.mbox')).toBeVisible({ timeout: 120_000 });
  await isReady(page, 'bad-line.mbox');
  expect(before).toBeGreaterThan(0);
  expect(cuts, 'it was cut in the middle, too').toBeGreaterThan(before);
});

test('a page without the digests of the browser computes them itself', async ({ desk }) => {
  // As over plain HTTP, where browsers keep their cryptography to themselves.
  const id = await mailbox(desk, 'plain-http.test');
  const page = await desk.as('technician');
  await page.addInitScript(() => Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined }));
  await page.goto(`/mailboxes/${id}/files`);
  await alive(page);
  const pieces: (string | undefined)[] = [];
  page.on('request', (request) => request.method() === 'PATCH' && pieces.push(request.headers()['upload-checksum']));
  await picker(page).setInputFiles(mbox('own-digests.mbox', 8, 200_000));
  await expect(row(page, 'own-digests.mbox')).toBeVisible({ timeout: 120_000 });
  await isReady(page, 'own-digests.mbox');
  expect(pieces.length).toBeGreaterThan(0);
  for (const digest of pieces) expect(digest).toMatch(/^sha256 [A-Za-z0-9+/]{43}=$/);
});

test('leaving while a file is on its way asks first', async ({ desk }) => {
  const id = await mailbox(desk, 'leaving.test');
  const page = await open(desk, id);
  const held = await hold(page, 1);
  await picker(page).setInputFiles(mbox('leaving.mbox', 3));
  await expect(transfer(page, 'leaving.mbox')).toContainText('Sending');
  // Browsers ask only somebody who has touched the page.
  await page.getByRole('heading', { level: 1 }).click();
  const asked = page.waitForEvent('dialog');
  const left = page.close({ runBeforeUnload: true });
  const dialog = await asked;
  expect(dialog.type()).toBe('beforeunload');
  await dialog.dismiss();
  await left;
  held.letGo();
  await expect(row(page, 'leaving.mbox')).toBeVisible({ timeout: 120_000 });
});

test('files can be dropped on the page', async ({ desk }) => {
  const id = await mailbox(desk, 'dropped.test');
  const page = await open(desk, id);
  const file = mbox('dropped.mbox', 5);
  const data = await page.evaluateHandle(
    ({ name, text }) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([text], name));
      return transfer;
    },
    { name: file.name, text: file.buffer.toString('utf8') },
  );
  await page.locator('main').dispatchEvent('dragover', { dataTransfer: data });
  await expect(page.locator('.drop')).toHaveClass(/over/);
  await page.locator('main').dispatchEvent('drop', { dataTransfer: data });
  await expect(row(page, 'dropped.mbox')).toBeVisible({ timeout: 120_000 });
});

test('an upload that was paused can be discarded, and leaves nothing', async ({ desk }) => {
  const id = await mailbox(desk, 'discarded.test');
  const page = await open(desk, id);
  const held = await hold(page, 2);
  await picker(page).setInputFiles(mbox('wrong.mbox', 30, 200_000));
  await expect.poll(held.pieces).toBe(2);
  const one = transfer(page, 'wrong.mbox');
  await one.getByRole('button', { name: 'Pause' }).click();
  await one.getByRole('button', { name: 'Discard' }).click();
  await expect(one).toHaveCount(0);
  held.letGo();
  await expect
    .poll(() => desk.lab.must('technician', 'GET', `/migration/mailboxes/${id}/uploads`), { timeout: 120_000 })
    .toEqual([]);
});

test('a file is added and looked into without JavaScript', async ({ desk }) => {
  const { lab } = desk;
  const { email, destPassword } = lab.accounts.filed;
  const { job } = await makeJob(lab, 'plainly.test', []);
  const page = await desk.as('technician', { javaScriptEnabled: false });
  await page.goto(`/jobs/${job}/mailboxes/new`);
  await page.getByRole('link', { name: 'From a file' }).click();
  await fill(page, { Mailbox: email });
  await page.getByLabel('Kind of file').selectOption('mbox');
  await page.getByRole('group', { name: 'New server' }).getByLabel('Password').fill(destPassword);
  await page.getByRole('button', { name: 'Add the mailbox' }).click();

  await expect(page.getByRole('heading', { name: 'Files', level: 1 })).toBeVisible();
  await picker(page).setInputFiles([mbox('plain.mbox', 9), mbox('more.mbox', 4, 200, 'b')]);
  await page.getByRole('button', { name: 'Upload' }).click();
  await expect(page.getByRole('heading', { name: 'Files', level: 1 })).toBeVisible();
  await isReadyPlainly(page, 'plain.mbox');
  await isReadyPlainly(page, 'more.mbox');

  await picker(page).setInputFiles({ ...mbox('plain.mbox', 9), name: 'plain-again.mbox' });
  await page.getByRole('button', { name: 'Upload' }).click();
  await expect(page.getByText(/plain\.mbox.*already|already.*plain\.mbox/)).toBeVisible();
  await expect(section(page, 'Files that are here').getByRole('row')).toHaveCount(3);

  await page.getByRole('link', { name: 'plain.mbox' }).click();
  await looksInto(page, 9);
  await page.goto(`/jobs/${job}`);
  await expect(section(page, 'Mailboxes').getByRole('link', { name: '2 files' })).toBeVisible();
});

test('what is in a file is shown before anything is sent, in both themes and widths', async ({ desk }) => {
  const id = await mailbox(desk, 'inspected.test');
  const page = await open(desk, id);
  await picker(page).setInputFiles(mbox('inside.mbox', 9));
  await expect(row(page, 'inside.mbox')).toBeVisible({ timeout: 120_000 });
  await isReady(page, 'inside.mbox');
  await page.getByRole('link', { name: 'inside.mbox' }).click();
  await looksInto(page, 9);
  const path = new URL(page.url()).pathname;
  for (const viewport of [{ width: 1280, height: 900 }, { width: 390, height: 844 }]) {
    for (const theme of ['light', 'dark']) {
      const seen = await desk.as('technician', { viewport });
      await seen.context().addCookies([{ name: 'gatepost_theme', value: theme, url: desk.lab.url }]);
      for (const address of [path, `/mailboxes/${id}/files`, `/mailboxes/${id}`]) {
        await seen.goto(address);
        await alive(seen);
        expect.soft(await obstacles(seen), `${address} ${theme} ${viewport.width}`).toEqual([]);
        expect.soft(await overflow(seen), `${address} must not be wider than ${viewport.width}`).toBeLessThanOrEqual(0);
      }
    }
  }
});

test('a file that is no Outlook file is refused with a sentence that says what it is', async ({ desk }) => {
  const id = await mailbox(desk, 'refused.test', 'pst');
  const page = await open(desk, id);
  const text = { name: 'archive.pst', mimeType: 'text/plain', buffer: Buffer.from('This is a shopping list.\n'.repeat(99)) };
  await picker(page).setInputFiles(text);
  await expect(row(page, 'archive.pst')).toBeVisible({ timeout: 120_000 });
  await isReady(page, 'archive.pst', /Refused/);
  await expect(row(page, 'archive.pst')).toContainText(/Outlook|PST/);
});

test('an empty file is refused before a byte is sent', async ({ desk }) => {
  const id = await mailbox(desk, 'empty.test');
  const page = await open(desk, id);
  await picker(page).setInputFiles({ name: 'nothing.mbox', mimeType: 'application/mbox', buffer: Buffer.alloc(0) });
  await expect(transfer(page, 'nothing.mbox')).toContainText('The file is empty.');
  expect(await desk.lab.must('technician', 'GET', `/migration/mailboxes/${id}/uploads`)).toEqual([]);
});

test('a file of the server is used where it lies, and only below the allowed folder', async ({ desk }) => {
  desk.expectTrouble(/^4\d\d \/api\/fn\/add_server_file/);
  const id = await mailbox(desk, 'onserver.test');
  await mkdir(join(desk.lab.importPath, 'sub'), { recursive: true });
  await writeFile(join(desk.lab.importPath, 'sub', 'there.mbox'), mbox('there.mbox', 6).buffer);
  const page = await open(desk, id);
  await page.getByText('Use a file that is on the server already').click();
  await fill(page, { Path: '../../etc/passwd' });
  await page.getByRole('button', { name: 'Use this file' }).click();
  await expect(page.getByRole('alert').or(page.locator('.notice.bad'))).toBeVisible();
  await expect(page.getByLabel('Path', { exact: true })).toHaveValue('../../etc/passwd');
  await fill(page, { Path: 'sub/there.mbox' });
  await page.getByRole('button', { name: 'Use this file' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'The file is taken up' })).toBeVisible();
  await isReady(page, 'there.mbox');
});

/** Deletes the file that is open although its mail is not proved. */
async function insist(page: Page) {
  await page.getByLabel('Delete it although its mail is not proved yet').check();
  await page.getByRole('textbox', { name: 'Why it may go' }).fill('The customer keeps another copy.');
  await page.getByRole('button', { name: 'Delete the file' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'The file was deleted.' })).toBeVisible();
}

test('a file is deleted after a question and with a reason, and its row says so', async ({ desk }) => {
  desk.expectTrouble(/^409 \/api\/fn\/delete_upload/);
  const id = await mailbox(desk, 'deleted.test');
  const page = await open(desk, id);
  await picker(page).setInputFiles(mbox('unwanted.mbox', 3));
  await expect(row(page, 'unwanted.mbox')).toBeVisible({ timeout: 120_000 });
  await isReady(page, 'unwanted.mbox');
  await isIdle(desk, id);
  await page.getByRole('link', { name: 'unwanted.mbox' }).click();
  await page.getByText('Delete the file …').click();
  await page.getByRole('button', { name: 'Delete the file' }).click();
  await expect(page.getByText('unwanted.mbox holds mail, and it is not proved yet')).toBeVisible();
  await insist(page);
  await expect(row(page, 'unwanted.mbox')).toContainText('Deleted');
});

test('mail comes out of a file, is proved, and keeps its file until somebody insists', async ({ desk }) => {
  test.setTimeout(600_000);
  desk.expectTrouble(/^409 \/api\/fn\/delete_upload/);
  const { lab } = desk;
  const id = await mailbox(desk, 'copied.test');
  const { job_id: job } = await lab.must('technician', 'GET', `/migration/mailboxes/${id}`);
  const page = await desk.as('technician');
  await page.goto(`/jobs/${job}`);
  await expect(page.getByRole('list', { name: 'Warnings' })).toContainText('A file mailbox needs at least one file');
  await section(page, 'Mailboxes').getByRole('link', { name: 'No file is here yet.' }).click();
  await alive(page);
  await picker(page).setInputFiles(mbox('copied.mbox', 14));
  await expect(row(page, 'copied.mbox')).toBeVisible({ timeout: 120_000 });
  await isReady(page, 'copied.mbox');
  await isIdle(desk, id);

  for (const step of ['preflight', 'sync', 'verify']) {
    const body = step === 'sync' ? { type: 'initial' } : {};
    expect(await lab.runToEnd(`/migration/jobs/${job}/${step}`, body)).toEqual(['success']);
  }
  await page.goto(`/mailboxes/${id}`);
  await expect(section(page, 'Folders').getByRole('row').filter({ hasText: 'copied' })).toContainText('14');

  await page.goto(`/mailboxes/${id}/files`);
  await page.getByRole('link', { name: 'copied.mbox' }).click();
  await page.getByText('Delete the file …').click();
  await page.getByRole('button', { name: 'Delete the file' }).click();
  await expect(page.getByText('copied.mbox holds mail, and it is not proved yet')).toBeVisible();
  await insist(page);
});

/** Sees what a file made by `mbox` holds. */
async function looksInto(page: Page, messages: number): Promise<void> {
  await expect(section(page, 'What the file holds')).toContainText(`${messages} messages`);
  const folders = section(page, 'Folders').getByRole('row');
  await expect(folders).toHaveCount(2);
  const samples = section(page, 'Some of the messages');
  await expect(samples).toContainText('Pão nº 1');
  await expect(samples).toContainText('João');
}

/** What axe has to say, in short. */
async function obstacles(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`));
}

const overflow = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
