// Many mailboxes at once: a list that is looked at before it is stored, log-ins that are checked together, settings that
// are found from a domain and taken by a person. Everything is the same with and without JavaScript.

import AxeBuilder from '@axe-core/playwright';
import { readFile } from 'node:fs/promises';
import { expect, makeJob, type Page, test } from '../desk.ts';
import { section } from '../steps.ts';

/** What axe complains about on a page, in which it runs as a script. */
async function obstacles(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(' ')}`);
}

const HEADER = 'email,source_host,source_port,source_password,dest_password,folder_map,wave';

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? 'with JavaScript' : 'without JavaScript';

  test(`a list is looked at, corrected and stored, ${how}`, async ({ desk, lab }) => {
    const domain = javaScriptEnabled ? 'lista-viva.test' : 'lista-simples.test';
    const { job } = await makeJob(lab, domain, []);
    const page = await desk.as('technician', { javaScriptEnabled });
    await page.goto(`/jobs/${job}/import`);
    const bad = [
      HEADER,
      `ana@${domain},imap.old.example,993,hidden-1,hidden-2,,`,
      'nobody,imap.old.example,993,hidden-3,hidden-4,,',
      `rui@${domain},imap.old.example,port,hidden-5,hidden-6,Sent,No such wave`,
    ];
    await page.getByLabel('CSV text').fill(bad.join('\n'));
    await page.getByRole('button', { name: 'Check the list first' }).click();
    await expect(page.getByRole('alert')).toContainText('Nothing is stored until the list is right.');
    const wrong = section(page, 'What is wrong').getByRole('row');
    await expect(wrong.filter({ hasText: 'email' })).toContainText('3');
    for (const column of ['source_port', 'folder_map', 'wave']) {
      await expect.soft(wrong.filter({ hasText: column }).first()).toContainText('4');
    }
    expect(await page.content()).not.toContain('hidden-');
    await expect(page.getByRole('button', { name: /^Import / })).toHaveCount(0);
    if (javaScriptEnabled) expect(await obstacles(page)).toEqual([]);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download as CSV' }).click(),
    ]);
    const errors = await readFile(await download.path(), 'utf8');
    expect(errors).toContain('"line","column","message"');
    expect(errors).toContain('"4","source_port"');

    await page.getByRole('link', { name: 'Send another list' }).click();
    const good = [
      HEADER,
      `ana@${domain},imap.old.example,993,hidden-1,hidden-2,Enviados = Sent | A/B = C,`,
      'lia@other.test,imap.old.example,,,,,',
    ];
    await page.getByLabel('CSV text').fill(good.join('\n'));
    await page.getByRole('button', { name: 'Check the list first' }).click();
    await expect(page.getByRole('status')).toContainText('2 mailboxes can be imported');
    await expect(section(page, 'Look at this')).toContainText('lia@other.test');
    await expect(section(page, 'Mailboxes in the list').getByRole('row')).toHaveCount(3);
    if (javaScriptEnabled) expect(await obstacles(page)).toEqual([]);
    await page.getByRole('button', { name: 'Import 2 mailboxes' }).click();
    const stored = section(page, 'Mailboxes').getByRole('rowheader');
    await expect(stored).toHaveText([`ana@${domain}`, 'lia@other.test']);
  });

  test(`all log-ins are checked and what failed is checked again, ${how}`, async ({ desk, lab }) => {
    const domain = javaScriptEnabled ? 'entra-viva.test' : 'entra-simples.test';
    const wrong = { ...lab.mailbox('oversize'), source_secret: { password: 'wrong for sure' } };
    const { job } = await makeJob(lab, domain, [lab.mailbox('moved'), wrong]);
    const page = await desk.as('technician', { javaScriptEnabled });
    await page.goto(`/jobs/${job}`);
    await section(page, 'Mailboxes').getByRole('link', { name: 'Check log-ins' }).click();
    await page.getByRole('button', { name: 'Check all log-ins' }).click();
    const settled = page.getByRole('status').filter({ hasText: '3 of 4 log-ins work.' });
    await ended(page, settled, javaScriptEnabled);
    const row = page.getByRole('row').filter({ hasText: lab.accounts.oversize.email });
    await expect(row).toContainText('Fails');
    await expect(row).toContainText('refused the log-in');
    expect(await page.content()).not.toContain('wrong for sure');
    if (javaScriptEnabled) expect(await obstacles(page)).toEqual([]);
    await page.getByRole('link', { name: 'only what does not work' }).click();
    await expect(page.getByRole('rowheader')).toHaveText([lab.accounts.oversize.email]);

    const mailboxes = await lab.must('technician', 'GET', `/migration/jobs/${job}/mailboxes`);
    const id = mailboxes.find((one: any) => one.email === lab.accounts.oversize.email).id;
    const right = { source_secret: { password: lab.accounts.oversize.sourcePassword } };
    await lab.must('technician', 'PATCH', `/migration/mailboxes/${id}`, right);
    await page.goto(`/jobs/${job}/logins`);
    await page.getByRole('button', { name: 'Check again what failed or was not checked' }).click();
    await ended(page, page.getByRole('status').filter({ hasText: '4 of 4 log-ins work.' }), javaScriptEnabled);
  });

  test(`settings are found from a domain and taken by a person, ${how}`, async ({ desk, lab }) => {
    const domain = javaScriptEnabled ? 'procura-viva.test' : 'procura-simples.test';
    const { job } = await makeJob(lab, domain, []);
    const page = await desk.as('technician', { javaScriptEnabled });
    await page.goto(`/jobs/${job}`);
    await section(page, 'Mailboxes').getByRole('link', { name: 'Find settings' }).click();
    await expect(page.getByLabel('Address or domain')).toHaveValue(domain);
    const found = section(page, 'Proposals for procura.test');
    const row = found.getByRole('row').filter({ hasText: `localhost:${lab.sourcePort}` });
    // A server is given some seconds to answer, which a busy machine may need more than once.
    await expect(async () => {
      await page.getByLabel('Address or domain').fill('ana@procura.test');
      await page.getByRole('button', { name: 'Find settings' }).click();
      await expect(row).toContainText('Likely', { timeout: 5_000 });
    }).toPass({ timeout: 240_000 });
    await expect(row).toContainText('SRV record');
    if (javaScriptEnabled) expect(await obstacles(page)).toEqual([]);
    await row.getByRole('link', { name: 'New mailbox with it' }).click();
    await expect(page.getByRole('status')).toContainText(`The form is filled with localhost:${lab.sourcePort}`);
    await expect(page.getByLabel('Mailbox', { exact: true })).toHaveValue('ana@procura.test');
    const old = page.getByRole('group', { name: 'Old server' });
    await expect(old.getByLabel('Host')).toHaveValue('localhost');
    await expect(old.getByLabel('Port')).toHaveValue(String(lab.sourcePort));
    const stored = await lab.must('technician', 'GET', `/migration/jobs/${job}/mailboxes`);
    expect(stored, 'nothing is applied by itself').toEqual([]);
    // What a link says and nobody found is not taken.
    await page.goto(`/jobs/${job}/mailboxes/new?find=ana%40procura.test&take=evil.example%3A993%3Atls`);
    await expect(page.getByRole('group', { name: 'Old server' }).getByLabel('Host')).toHaveValue('');
  });
}

test('the template is downloaded and its examples are refused as they are', async ({ desk, lab }) => {
  const { job } = await makeJob(lab, 'modelo.test', []);
  const page = await desk.as('technician');
  await page.goto(`/jobs/${job}/import`);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download a template' }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('gatepost-mailboxes.csv');
  const template = await readFile(await download.path(), 'utf8');
  expect(template.split(',')[0]).toBe('email');
  await page.getByLabel('CSV text').fill(template);
  await page.getByRole('button', { name: 'Check the list first' }).click();
  await expect(section(page, 'What is wrong').getByRole('row').filter({ hasText: 'example of the template' })).toHaveCount(4);
});

/** Waits for the end of a check: the page follows by itself, or is loaded again where nothing runs in it. */
async function ended(page: Page, settled: ReturnType<Page['getByRole']>, alive: boolean): Promise<void> {
  if (alive) {
    await expect(settled).toBeVisible({ timeout: 120_000 });
    return;
  }
  await expect(async () => {
    await page.reload();
    await expect(settled).toBeVisible({ timeout: 2_000 });
  }).toPass({ timeout: 120_000 });
}
