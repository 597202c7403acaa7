// The main job in the browser, from a ticket to an open gate, with real mail between two real servers; once with
// JavaScript and once by plain forms and reloads.

import { alive, expect, gateOf, logIn, logOut, type Page, test } from '../desk.ts';
import type { Lab, MailboxName } from '../lab.ts';
import { fact, fill, mark, newestRun, phase, press, section, start } from '../steps.ts';

interface Way {
  title: string;
  javaScript: boolean;
  mailbox: MailboxName;
  tenant: string;
}

const WAYS: Way[] = [
  { title: 'with JavaScript', javaScript: true, mailbox: 'living', tenant: 'Padaria Viva' },
  { title: 'without JavaScript', javaScript: false, mailbox: 'plain', tenant: 'Oficina Simples' },
];

for (const { title, javaScript, mailbox, tenant } of WAYS) {
  test(`a mailbox moves from a ticket to an open gate ${title}`, async ({ desk }) => {
    test.setTimeout(600_000);
    const { lab } = desk;
    const account = lab.accounts[mailbox];
    const domain = account.email.split('@')[1];
    const context = { javaScriptEnabled: javaScript };
    const page = await desk.stranger(context);

    /** Waits for the end of a run: the living page shows it by itself, the other one is reloaded. The history is made by
     * the server: once it tells of the end, nothing on the page changes any more. */
    const ended = async (kind: string, state: string) => {
      const over = new RegExp(`${kind}[^]*${state}`);
      if (javaScript) await expect(newestRun(page)).toContainText(over, { timeout: 180_000 });
      else {
        const row = async () => {
          await page.reload();
          return newestRun(page).innerText();
        };
        await expect.poll(row, { timeout: 180_000 }).toMatch(over);
      }
    };

    await test.step('a technician logs in', () => logIn(page, lab, 'technician'));

    await test.step('makes a tenant', async () => {
      await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Tenants' }).click();
      const form = section(page, 'New tenant');
      await form.getByLabel('Tenant').fill(tenant);
      await form.getByRole('button', { name: 'Create the tenant' }).click();
      await expect(page.getByRole('rowheader', { name: tenant })).toBeVisible();
    });

    await test.step('makes a ticket', async () => {
      await page.goto('/tickets/new');
      await page.getByLabel('Tenant').selectOption(tenant);
      await fill(page, { Subject: `Move ${domain}` });
      await page.getByLabel('Text').fill('The whole domain, please.');
      await page.getByRole('button', { name: 'Create the ticket' }).click();
      await expect(page.getByRole('heading', { name: `Move ${domain}`, level: 1 })).toBeVisible();
    });
    const ticket = new URL(page.url()).pathname;

    await test.step('opens a job from it', async () => {
      await page.getByRole('link', { name: 'Open a job' }).click();
      await expect(page.getByLabel('Tenant')).toHaveValue(/\d+/);
      await page.getByLabel('Domain', { exact: true }).fill(domain);
      await page.getByLabel('Host').fill('localhost');
      await page.getByLabel('Port').fill(String(lab.destPort));
      await page.getByLabel('Security').selectOption('tls');
      await page.getByRole('button', { name: 'Open the job' }).click();
      await expect(page.getByRole('heading', { name: domain, level: 1 })).toBeVisible();
      await expect(phase(page)).toContainText('Discovered');
      await expect(start(page, 'Preflight')).toBeDisabled();
      await expect(section(page, 'Next steps')).toContainText('Add a mailbox first.');
    });
    const job = new URL(page.url()).pathname;

    await test.step('adds a mailbox with its two passwords', async () => {
      await page.getByRole('link', { name: 'Add a mailbox' }).click();
      await page.getByLabel('Mailbox').fill(account.email);
      const old = page.getByRole('group', { name: 'Old server' });
      await old.getByLabel('Host').fill('localhost');
      await old.getByLabel('Port').fill(String(lab.sourcePort));
      await old.getByLabel('Password').fill(account.sourcePassword);
      await page.getByRole('group', { name: 'New server' }).getByLabel('Password').fill(account.destPassword);
      await page.getByRole('button', { name: 'Add the mailbox' }).click();
      await expect(section(page, 'Mailboxes').getByRole('rowheader', { name: account.email })).toBeVisible();
      await expect(start(page, 'Initial copy')).toBeDisabled();
      await expect(section(page, 'Next steps')).toContainText('A preflight comes first.');
    });

    await test.step('looks at both servers', async () => {
      await press(page, 'Preflight');
      await ended('Preflight', 'Success');
      await expect(phase(page)).toContainText('Preflight');
    });

    await test.step('copies everything, and sees how far it is', async () => {
      if (javaScript) await seesProgress(page, lab);
      else await press(page, 'Initial copy');
      await ended('Initial copy', 'Success');
      await expect(phase(page)).toContainText('Initial sync');
    });

    await test.step('copies what is new', async () => {
      await press(page, 'Delta');
      await ended('Delta', 'Success');
      await expect(phase(page)).toContainText('Delta sync');
    });

    await test.step('verifies, and the evidence adds up', async () => {
      await press(page, 'Verify');
      await ended('Verify', 'Success');
      await evidenceAddsUp(page);
      await expect(section(page, 'What is missing')).toContainText('Nothing is missing.');
      expect((await gateOf(lab, domain, 'technician')).body.gate).toBe('warning');
    });

    await test.step('reads the log of the copy', async () => {
      await page.getByRole('link', { name: /^Initial copy/ }).click();
      await expect(page.getByRole('heading', { name: /^Initial copy/, level: 1 })).toBeVisible();
      await expect(page.getByRole('log').locator('.log-line').first()).toBeAttached();
      await page.goto(job);
    });

    await test.step('cannot approve', async () => {
      await expect(section(page, 'DNS gate')).toContainText('Warning');
      await expect(section(page, 'DNS gate').getByRole('link', { name: 'Approve …' })).toHaveCount(0);
      await expect(page.locator('dialog')).toHaveCount(0);
    });

    await test.step('the ticket carries the badge', async () => {
      await page.goto(ticket);
      await expect(section(page, 'Migration')).toContainText('Warning');
      await expect(section(page, 'Migration')).toContainText('100%');
    });

    await test.step('an ops lead approves', async () => {
      await logOut(page);
      await logIn(page, lab, 'ops_lead');
      await page.goto(job);
      if (javaScript) await alive(page);
      await section(page, 'DNS gate').getByRole('link', { name: 'Approve …' }).click();
      const form = javaScript ? page.getByRole('dialog') : page.getByRole('main');
      await expect(form.getByRole('heading', { name: `Approve the gate of ${domain}` })).toBeVisible();
      await expect(form.locator('.tally')).toContainText('at the source');
      if (!javaScript) expect(new URL(page.url()).pathname).toBe(`${job}/approve`);
      await form.getByLabel('Note for the audit log').fill('Looked through with the customer.');
      await form.getByRole('button', { name: 'Approve this evidence' }).click();
      await expect(page.getByRole('status').filter({ hasText: 'The gate was approved.' })).toBeVisible();
      await expect(section(page, 'DNS gate')).toContainText('Ready for DNS');
      await expect(section(page, 'DNS gate')).toContainText('Approved by');
      await expect(phase(page)).toContainText('Ready for cutover');
    });

    await test.step('a program asks the gate with a token that the super admin made', async () => {
      await logOut(page);
      await logIn(page, lab, 'super_admin');
      await page.goto('/tokens');
      const form = section(page, 'New token');
      await form.getByLabel('Name').fill(`Set-up wizard ${title}`);
      await form.getByLabel('gate:read').check();
      await form.getByLabel('metrics:read').check();
      await form.getByRole('button', { name: 'Create the token' }).click();
      const secret = (await page.locator('.secret').innerText()).trim();
      await page.reload();
      await expect(page.getByRole('main')).not.toContainText(secret);
      const answer = await gateOf(lab, domain, { bearer: secret });
      expect(answer).toMatchObject({ status: 200, body: { gate: 'ready_for_dns', dns_allowed: true, domain } });
      const measured = await fetch(`${lab.url}/metrics`, { headers: { authorization: `Bearer ${secret}` } });
      expect(measured.status).toBe(200);
      expect((await fetch(`${lab.url}/metrics`)).status).toBe(401);
    });
  });
}

/** Living pages show a copy's log, its progress and its end, without being loaded by hand. What is looked at stands still
 * meanwhile: the run waits for its turn first, and is then held on its line. */
async function seesProgress(page: Page, lab: Lab): Promise<void> {
  const job = Number(new URL(page.url()).pathname.split('/').pop());
  const [{ bytes_source: bytes }] = await lab.must('technician', 'GET', `/migration/jobs/${job}/mailboxes`);
  const live = page.locator('.live');
  /** How many messages the page says are done; -1 while it does not. */
  const done = async () => {
    const said = /^([\d,]+) \/ [\d,]+ messages/.exec(await live.locator('.live-figures').innerText());
    return said ? Number(said[1]!.replaceAll(',', '')) : -1;
  };
  try {
    const goOn = await lab.pause(job);
    await press(page, 'Initial copy');
    await live.getByRole('link').click();
    await expect(page.getByRole('heading', { name: /^Initial copy/, level: 1 })).toBeVisible();
    await expect(fact(page, 'Finished')).toHaveText('–');
    await alive(page);
    const ofTheRun = await mark(page);
    const lines = page.getByRole('log').locator('.log-line');
    const some = await lines.count();
    lab.line.holdAfter(0.4 * bytes);
    await goOn();
    await expect.poll(() => lines.count()).toBeGreaterThan(some);
    await expect.poll(done).toBeGreaterThan(0);
    expect(await ofTheRun(), 'the page must not have been loaded anew').toBe(true);

    await page.getByRole('navigation', { name: 'You are here' }).getByRole('link').last().click();
    await expect(start(page, 'Initial copy')).toBeDisabled();
    await alive(page);
    const ofTheJob = await mark(page);
    const before = await done();
    expect(before).toBeGreaterThan(0);
    lab.line.holdAfter(0.3 * bytes);
    await expect.poll(done).toBeGreaterThan(before);
    expect(await ofTheJob(), 'the page must not have been loaded anew').toBe(true);
  } finally {
    lab.line.release();
  }
}

/** The four parts are what the source holds. */
async function evidenceAddsUp(page: Page): Promise<void> {
  const tally = section(page, 'Evidence').locator('.tally').first();
  const parts = (await tally.locator('b').allInnerTexts()).map((text) => Number(text.replace(/\D/g, '')));
  expect(parts).toHaveLength(5);
  const [arrived, pending, quarantined, waived, source] = parts;
  expect(source).toBeGreaterThan(0);
  expect(arrived + pending + quarantined + waived).toBe(source);
  expect(arrived).toBe(source);
}
