// The ways to an old server beside IMAP: which engine copies a mailbox, and where zmmailbox or doveadm is run. The form of
// a mailbox is the same with and without JavaScript, at a keyboard and for a screen reader.

import AxeBuilder from '@axe-core/playwright';
import { expect, makeJob, type Page, test } from '../desk.ts';
import { section, withoutBrowserChecks } from '../steps.ts';
import type { Lab } from '../lab.ts';

/** Which engines may copy from which kind of source, as the form names them. */
const ENGINES: Record<string, string[]> = {
  imap: ['Built-in', 'imapsync'],
  imap_oauth: ['Built-in', 'imapsync'],
  dovecot: ['Built-in', 'imapsync', 'doveadm'],
  zimbra: ['Built-in', 'imapsync', 'zmmailbox'],
  mbox: ['Built-in'],
  eml: ['Built-in'],
  tgz: ['Built-in'],
  pst: ['Built-in', 'readpst', 'imap-upload'],
};

/** The kinds that have a way by SSH. */
const BY_SSH = ['dovecot', 'zimbra'];

const FILES = ['mbox', 'eml', 'tgz', 'pst'];

/** Where the old server's ways stand in the form. */
const ways = (page: Page) => page.getByText('Zimbra and Dovecot: ways beside IMAP');
const engine = (page: Page) => page.getByLabel('Engine', { exact: true });
const ssh = (page: Page) => page.getByRole('textbox', { name: /^SSH address/ });
const web = (page: Page) => page.getByRole('textbox', { name: /^Web address/ });

/** Jobs so far: each has a domain of its own. */
let scenes = 0;

/** A job without mailboxes. */
async function emptyJob(lab: Lab): Promise<{ job: number; domain: string }> {
  const domain = `vias-${++scenes}.test`;
  return { domain, job: (await makeJob(lab, domain, [])).job };
}

/** Puts a mailbox into a job by REST. */
async function add(lab: Lab, job: number, fields: Record<string, unknown>): Promise<number> {
  const server = FILES.includes(fields.source_type as string) ? {} : { source_host: 'mail.antigo.example' };
  const path = `/migration/jobs/${job}/mailboxes`;
  return (await lab.must('ops_lead', 'POST', path, { ...server, ...fields })).id;
}

const stored = (lab: Lab, mailbox: number) => lab.must('technician', 'GET', `/migration/mailboxes/${mailbox}`);

/** Opens the ways, unless they stand open. */
async function open(page: Page): Promise<void> {
  if (!(await ssh(page).isVisible())) await ways(page).click();
  await expect(ssh(page)).toBeVisible();
}

/** The message below a field, as a screen reader finds it. */
async function complaint(field: ReturnType<Page['getByRole']>): Promise<string> {
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  const ids = ((await field.getAttribute('aria-describedby')) ?? '').split(' ').filter((id) => id.endsWith('-error'));
  expect(ids).toHaveLength(1);
  return field.page().locator(`#${ids[0]}`).innerText();
}

const saved = (page: Page) => page.getByRole('status').filter({ hasText: 'Saved.' });

test('only the engines that fit the kind of source are offered', async ({ desk, lab }) => {
  const { job, domain } = await emptyJob(lab);
  const page = await desk.as('technician');
  for (const [kind, engines] of Object.entries(ENGINES)) {
    const mailbox = await add(lab, job, { email: `${kind}@${domain}`, source_type: kind });
    await page.goto(`/mailboxes/${mailbox}`);
    await expect.soft(engine(page).getByRole('option'), kind).toHaveText(engines);
    await expect.soft(engine(page), kind).toHaveValue('native');
    await expect.soft(ways(page), kind).toHaveCount(BY_SSH.includes(kind) ? 1 : 0);
    const old = page.getByRole('group', { name: 'Old server' });
    await expect.soft(old, kind).toHaveCount(FILES.includes(kind) ? 0 : 1);
  }
  await page.goto(`/jobs/${job}/mailboxes/new`);
  await expect(engine(page).getByRole('option')).toHaveText(['Built-in', 'imapsync', 'doveadm', 'zmmailbox']);
  await page.goto(`/jobs/${job}/mailboxes/new?from=file`);
  await expect(engine(page).getByRole('option')).toHaveText(['Built-in', 'readpst', 'imap-upload']);
  await expect(ways(page)).toHaveCount(0);
});

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? 'with JavaScript' : 'without JavaScript';

  test(`an engine is chosen for each kind of server, and is shown again, ${how}`, async ({ desk, lab }) => {
    const { job, domain } = await emptyJob(lab);
    const page = await desk.as('ops_lead', { javaScriptEnabled });
    for (const [kind, tool, at] of [
      ['imap', 'imapsync', {}],
      ['dovecot', 'doveadm', { ssh: 'vmail@mail.antigo.example:2222', web: '' }],
      ['zimbra', 'zmmailbox', { ssh: 'zimbra@mail.antigo.example', web: 'https://mail.antigo.example:8443' }],
    ] as const) {
      await page.goto(`/jobs/${job}/mailboxes/new`);
      await page.getByLabel('Mailbox', { exact: true }).fill(`${kind}@${domain}`);
      await page.getByLabel('Kind of source').selectOption(kind);
      await engine(page).selectOption(tool);
      await page.getByRole('group', { name: 'Old server' }).getByLabel('Host').fill('mail.antigo.example');
      await expect(ssh(page), 'what most mailboxes need not is folded away').toBeHidden();
      if ('ssh' in at) {
        await open(page);
        await ssh(page).fill(at.ssh);
        await web(page).fill(at.web);
      }
      await page.getByRole('button', { name: 'Add the mailbox' }).click();
      const row = section(page, 'Mailboxes').getByRole('link', { name: `${kind}@${domain}` });
      await row.click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${kind}@${domain}`);
      await expect(engine(page)).toHaveValue(tool);
      await expect(page.locator('.fact').filter({ hasText: 'Engine' }).locator('dd')).toHaveText(tool);
      if ('ssh' in at) {
        await expect(ssh(page), 'what is set stands open').toBeVisible();
        await expect(ssh(page)).toHaveValue(at.ssh);
        await expect(web(page)).toHaveValue(at.web);
      }
    }
  });

  test(`ways are changed and taken away again, ${how}`, async ({ desk, lab }) => {
    const { job, domain } = await emptyJob(lab);
    const fields = { email: `ana@${domain}`, source_type: 'zimbra', tool: 'zmmailbox' };
    const mailbox = await add(lab, job, { ...fields, source_ssh: 'zimbra@mail.antigo.example' });
    const page = await desk.as('ops_lead', { javaScriptEnabled });
    await page.goto(`/mailboxes/${mailbox}`);
    await ssh(page).fill('zimbra@outro.antigo.example:2200');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await expect(saved(page)).toBeVisible();
    await expect(ssh(page)).toHaveValue('zimbra@outro.antigo.example:2200');
    // Loaded anew each time, so that what says "Saved." is the page that follows.
    await page.goto(`/mailboxes/${mailbox}`);
    await ssh(page).fill('');
    await web(page).fill('https://web.antigo.example');
    await engine(page).selectOption('imapsync');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await expect(saved(page)).toBeVisible();
    await expect(ssh(page)).toHaveValue('');
    await expect(web(page)).toHaveValue('https://web.antigo.example');
    await page.goto(`/mailboxes/${mailbox}`);
    await web(page).fill('');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await expect(saved(page)).toBeVisible();
    await expect(ssh(page), 'nothing is set any more').toBeHidden();
    const { tool, source_ssh, source_web } = await stored(lab, mailbox);
    expect({ tool, source_ssh, source_web }).toEqual({ tool: 'imapsync', source_ssh: null, source_web: null });
  });

  test(`a wrong address is refused with a sentence at its field, and nothing is stored, ${how}`, async ({ desk, lab }) => {
    const { job, domain } = await emptyJob(lab);
    const mailbox = await add(lab, job, { email: `ana@${domain}`, source_type: 'zimbra', source_web: 'https://antes.example' });
    const page = await desk.as('ops_lead', { javaScriptEnabled });
    const typed = [
      { ssh: '-oProxyCommand=id', web: '', wrong: ['ssh'] },
      { ssh: 'root@mail.example;id', web: 'https://mail.example', wrong: ['ssh'] },
      { ssh: 'root@mail.example:0', web: '', wrong: ['ssh'] },
      { ssh: '', web: 'mail.example', wrong: ['web'] },
      { ssh: '', web: 'https://user:word@mail.example', wrong: ['web'] },
      { ssh: 'a b@mail.example', web: 'https://mail.example/home/ana', wrong: ['ssh', 'web'] },
    ];
    for (const { ssh: host, web: address, wrong } of typed) {
      await page.goto(`/mailboxes/${mailbox}`);
      await open(page);
      await ssh(page).fill(host);
      await web(page).fill(address);
      await page.getByRole('button', { name: 'Save changes' }).click();
      const summary = page.getByRole('alert');
      await expect(summary).toBeVisible();
      await expect(ssh(page), 'what is complained about stands open').toBeVisible();
      await expect(ssh(page), 'what was typed is kept').toHaveValue(host);
      await expect(web(page)).toHaveValue(address);
      for (const [name, field, sentence] of [
        ['ssh', ssh(page), 'must be USER@HOST or USER@HOST:PORT'],
        ['web', web(page), 'must be https://HOST or https://HOST:PORT'],
      ] as const) {
        if (!wrong.includes(name)) {
          await expect.soft(field, `${name} is right`).not.toHaveAttribute('aria-invalid', 'true');
          continue;
        }
        expect.soft(await complaint(field)).toContain(sentence);
        // The summary names the field as its label does, and leads to it.
        const label = name === 'ssh' ? 'SSH address: ' : 'Web address: ';
        await expect.soft(summary).toContainText(`${label}${sentence}`);
        if (wrong.length > 1) {
          await summary.getByRole('link', { name: label }).click();
          await expect.soft(field).toBeFocused();
        }
      }
    }
    const { source_ssh, source_web } = await stored(lab, mailbox);
    expect({ source_ssh, source_web }).toEqual({ source_ssh: null, source_web: 'https://antes.example' });
  });

  test(`an engine or a way that does not fit the kind of source is refused, ${how}`, async ({ desk, lab }) => {
    const { job, domain } = await emptyJob(lab);
    const page = await desk.as('ops_lead', { javaScriptEnabled });
    for (const [kind, tool, sentence] of [
      ['imap', 'doveadm', 'doveadm copies from one Dovecot to another'],
      ['dovecot', 'zmmailbox', 'zmmailbox copies from Zimbra or Carbonio'],
      ['zimbra', 'doveadm', 'doveadm copies from one Dovecot to another'],
    ] as const) {
      await page.goto(`/jobs/${job}/mailboxes/new`);
      await page.getByLabel('Mailbox', { exact: true }).fill(`ana@${domain}`);
      await page.getByLabel('Kind of source').selectOption(kind);
      await engine(page).selectOption(tool);
      await page.getByRole('group', { name: 'Old server' }).getByLabel('Host').fill('mail.antigo.example');
      await page.getByRole('button', { name: 'Add the mailbox' }).click();
      expect.soft(await complaint(engine(page)), kind).toContain(sentence);
      await expect.soft(page.getByRole('alert')).toContainText('Engine: ');
      await expect.soft(engine(page), 'the choice is kept').toHaveValue(tool);
      await expect.soft(page.getByLabel('Kind of source')).toHaveValue(kind);
    }
    await page.goto(`/jobs/${job}/mailboxes/new`);
    await page.getByLabel('Mailbox', { exact: true }).fill(`ana@${domain}`);
    await page.getByRole('group', { name: 'Old server' }).getByLabel('Host').fill('mail.antigo.example');
    await open(page);
    await ssh(page).fill('root@mail.antigo.example');
    await web(page).fill('https://mail.antigo.example');
    await page.getByRole('button', { name: 'Add the mailbox' }).click();
    expect.soft(await complaint(ssh(page))).toContain('is for zimbra and dovecot only');
    expect.soft(await complaint(web(page))).toContain('is for zimbra only');
    expect(await lab.must('technician', 'GET', `/migration/jobs/${job}/mailboxes`)).toEqual([]);
  });

  test(`a technician cannot let a program in by SSH, and is told who can, ${how}`, async ({ desk, lab }) => {
    const { job, domain } = await emptyJob(lab);
    const fields = { email: `ana@${domain}`, source_type: 'dovecot', tool: 'doveadm' };
    const mailbox = await add(lab, job, { ...fields, source_ssh: 'vmail@mail.antigo.example' });
    const page = await desk.as('technician', { javaScriptEnabled });
    await page.goto(`/mailboxes/${mailbox}`);
    await ssh(page).fill('root@mail.meu.example');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await expect(page.getByRole('alert')).toContainText('Only an ops lead or a super admin may do this.');
    expect((await stored(lab, mailbox)).source_ssh).toBe('vmail@mail.antigo.example');
    // What stands there already is nobody's decision: the rest of the form can be saved.
    await page.goto(`/mailboxes/${mailbox}`);
    await expect(ssh(page)).toHaveValue('vmail@mail.antigo.example');
    await engine(page).selectOption('imapsync');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await expect(saved(page)).toBeVisible();
    const { tool, source_ssh } = await stored(lab, mailbox);
    expect({ tool, source_ssh }).toEqual({ tool: 'imapsync', source_ssh: 'vmail@mail.antigo.example' });
  });
}

test('a value that the form does not offer is refused by the server', async ({ desk, lab }) => {
  const { job, domain } = await emptyJob(lab);
  const mailbox = await add(lab, job, { email: `ana@${domain}`, source_type: 'imap' });
  const page = await desk.as('technician');
  for (const forged of ['zmmailbox', 'sh']) {
    await page.goto(`/mailboxes/${mailbox}`);
    await withoutBrowserChecks(page);
    await engine(page).evaluate((select, value) => {
      (select as HTMLSelectElement).options[0]!.value = value;
      (select as HTMLSelectElement).value = value;
    }, forged);
    await page.getByRole('button', { name: 'Save changes' }).click();
    expect(await complaint(engine(page))).not.toBe('');
    expect((await stored(lab, mailbox)).tool).toBe('native');
  }
});

test('the ways are reached, opened, filled and sent by the keyboard alone', async ({ desk, lab }) => {
  const { job, domain } = await emptyJob(lab);
  const mailbox = await add(lab, job, { email: `ana@${domain}`, source_type: 'zimbra', tool: 'zmmailbox' });
  const page = await desk.as('ops_lead');
  await page.goto(`/mailboxes/${mailbox}`);
  await engine(page).focus();
  const stops: string[] = [];
  const focused = () =>
    page.evaluate(() => {
      const element = document.activeElement;
      return element?.tagName === 'SUMMARY' ? 'ways' : (element?.getAttribute('name') ?? '');
    });
  while (stops.at(-1) !== 'ways' && stops.length < 20) {
    await page.keyboard.press('Tab');
    stops.push(await focused());
  }
  expect(stops, 'the ways come after the log-in').toEqual([
    ...['source_host', 'source_port', 'source_security', 'source_insecure_tls', 'source_user', 'source_admin'],
    ...['source_password', 'source_oauth_token', 'ways'],
  ]);
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('source_ssh');
  await page.keyboard.type('zimbra@mail.antigo.example');
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('source_web');
  await page.keyboard.type('https://mail.antigo.example');
  await page.keyboard.press('Enter');
  await expect(saved(page)).toBeVisible();
  const { source_ssh, source_web } = await stored(lab, mailbox);
  expect({ source_ssh, source_web }).toEqual({
    source_ssh: 'zimbra@mail.antigo.example',
    source_web: 'https://mail.antigo.example',
  });
});

test('the ways have no obstacle and fit, refused or not, in both themes and languages', async ({ desk, lab }) => {
  const { job, domain } = await emptyJob(lab);
  const mailbox = await add(lab, job, { email: `ana@${domain}`, source_type: 'zimbra', source_web: 'https://mail.example' });
  for (const [theme, language, width] of [
    ['light', 'en', 1280],
    ['dark', 'pt-BR', 1280],
    ['light', 'pt-BR', 390],
    ['dark', 'en', 390],
  ] as const) {
    const page = await desk.as('ops_lead', { viewport: { width, height: 900 } });
    await page.context().addCookies([
      { name: 'gatepost_theme', value: theme, url: desk.lab.url },
      { name: 'gatepost_lang', value: language, url: desk.lab.url },
    ]);
    const sound = async (what: string) => {
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect.soft(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(' ')}`), what).toEqual([]);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect.soft(wider, what).toBeLessThanOrEqual(0);
    };
    await page.goto(`/mailboxes/${mailbox}`);
    await expect(page.locator('#field-source-ssh')).toBeVisible();
    await sound(`${theme} ${language} ${width}`);
    await page.locator('#field-source-ssh').fill('two words');
    await page.locator('form').filter({ has: page.locator('#field-source-ssh') }).getByRole('button').click();
    await expect(page.getByRole('alert')).toBeVisible();
    await sound(`${theme} ${language} ${width}, refused`);
    await page.context().close();
  }
});
