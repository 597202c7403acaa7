// External programs at work on real mail, from a new mailbox to an open gate and the mail that came late: doveadm between
// two Dovecots, imapsync, readpst on an Outlook file. What a program claims stands beside what was read at both servers.

import AxeBuilder from '@axe-core/playwright';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { alive, type Desk, expect, gateOf, makeJob, type Page, test } from '../desk.ts';
import type { MailboxName } from '../lab.ts';
import { fact, fill, mark, newestRun, phase, press, section } from '../steps.ts';

const directory = process.env.GATEPOST_SCREENSHOTS ?? '';

/** Whether the laboratory's imapsync is the one that is in no registry. */

interface Program {
  tool: 'doveadm' | 'imapsync';
  kind: string;
  mailbox: MailboxName;
  messages: number;
  /** What the log of the preflight says. */
  tried: RegExp;
  /** What the program says after a copy of so many messages: rows of the table, by their headings. */
  claims: (messages: number) => [figure: string, program: string, ours: string][];
  /** What stands in its own log of a copy. */
  printed: RegExp;
}

const PROGRAMS: Program[] = [
  {
    tool: 'doveadm',
    kind: 'dovecot',
    mailbox: 'byDoveadm',
    messages: 120,
    tried: /doveadm reads the old server by imapc and finds \d+ messages in its INBOX/,
    claims: (messages) => [['Transferred', String(messages), String(messages)]],
    printed: /uidvalidity/,
  },
  {
    tool: 'imapsync',
    kind: 'imap',
    mailbox: 'byImapsync',
    messages: 100,
    tried: /imapsync finds 100 messages in \d+ folders at the source/,
    claims: (messages) => [
      ['Transferred', String(messages), String(messages)],
      ['Exit code', '0', '–'],
    ],
    printed: /Messages transferred +: \d+/,
  },
];

/** How many messages come to the old server after the first copy, and how many after the MX was changed. */
const [LATER, LATE] = [3, 2];

for (const { tool, kind, mailbox, messages, tried, claims, printed } of PROGRAMS) {
  test(`${tool} moves a mailbox, and what it claims stands beside what was read`, async ({ desk, lab }) => {
    test.setTimeout(900_000);
    const account = lab.accounts[mailbox];
    const domain = account.email.split('@')[1]!;
    const { job } = await makeJob(lab, domain, []);
    const page = await desk.as('technician');

    await test.step('a technician chooses it for a new mailbox', async () => {
      await page.goto(`/jobs/${job}/mailboxes/new`);
      await page.getByLabel('Mailbox', { exact: true }).fill(account.email);
      await page.getByLabel('Kind of source').selectOption(kind);
      await page.getByLabel('Engine', { exact: true }).selectOption(tool);
      const old = page.getByRole('group', { name: 'Old server' });
      await old.getByLabel('Host').fill('localhost');
      await old.getByLabel('Port').fill(String(lab.sourcePort));
      await old.getByLabel('Password').fill(account.sourcePassword);
      await page.getByRole('group', { name: 'New server' }).getByLabel('Password').fill(account.destPassword);
      await page.getByRole('button', { name: 'Add the mailbox' }).click();
      await expect(section(page, 'Mailboxes').getByRole('rowheader', { name: account.email })).toBeVisible();
    });

    await test.step('it tries both servers before anything is copied', async () => {
      await press(page, 'Preflight');
      await ended(page, 'Preflight', 'Success');
      await openRun(page, 'Preflight');
      await expect(page.getByRole('log')).toContainText(tried);
      await expect(said(page, tool)).toBeVisible();
      if (tool === 'imapsync') await claimed(page, tool, [['Messages at the source', String(messages), String(messages)]]);
      expect(await downloaded(page, account.email)).not.toBe('');
      await page.goto(`/jobs/${job}`);
    });

    await test.step('it copies everything, and the page shows how far it is', async () => {
      await seesProgress(page, desk, job);
      await ended(page, 'Initial copy', 'Success');
      await openRun(page, 'Initial copy');
      await expect(fact(page, 'Engine')).toHaveText(tool);
      await expect(fact(page, 'Transferred')).toHaveText(String(messages));
      await claimed(page, tool, claims(messages));
      const log = await downloaded(page, account.email);
      expect(log).toMatch(printed);
      for (const secret of [account.sourcePassword, account.destPassword]) expect(log.includes(secret)).toBe(false);
      await looksRight(page, desk, `${tool}-copy`);
      await page.goto(`/jobs/${job}`);
    });

    await test.step('it copies what has come since, and nothing else', async () => {
      await lab.deliver(mailbox, LATER, 501);
      await press(page, 'Delta');
      await ended(page, 'Delta', 'Success');
      await openRun(page, 'Delta');
      await expect(fact(page, 'Transferred')).toHaveText(String(LATER));
      await claimed(page, tool, claims(LATER));
      await page.goto(`/jobs/${job}`);
    });

    await test.step('our own reading proves it', async () => {
      await press(page, 'Verify');
      await ended(page, 'Verify', 'Success');
      await tallied(page, { arrived: messages + LATER, quarantined: 0, waived: 0 });
      await expect(section(page, 'What is missing')).toContainText('Nothing is missing.');
      expect((await gateOf(lab, domain, 'technician')).body.gate).toBe('warning');
    });

    const lead = await desk.as('ops_lead');
    await test.step('an ops lead opens the gate and records the new MX', () => opensTheGate(lead, desk, job, domain));

    await test.step('it fetches what came late', async () => {
      await lab.deliver(mailbox, LATE, 502);
      await page.goto(`/jobs/${job}`);
      await press(page, 'Final copy');
      await ended(page, 'Final copy', 'Success');
      await openRun(page, 'Final copy');
      await claimed(page, tool, claims(LATE));
      await page.goto(`/jobs/${job}`);
      await press(page, 'Verify');
      await ended(page, 'Verify', 'Success');
      await tallied(page, { arrived: messages + LATER + LATE, quarantined: 0, waived: 0 });
      await expect(phase(page)).toContainText('Verified');
    });
  });
}

test('readpst reads an Outlook file, and what it leaves out is named, waived and counted', async ({ desk, lab }) => {
  test.setTimeout(900_000);
  const account = lab.accounts.byReadpst;
  const domain = account.email.split('@')[1]!;
  const { job } = await makeJob(lab, domain, []);
  // By plain forms and reloads: the ways of a living page are seen above.
  const page = await desk.as('technician', { javaScriptEnabled: false });

  await test.step('a technician chooses it for a new mailbox', async () => {
    await page.goto(`/jobs/${job}/mailboxes/new?from=file`);
    await fill(page, { Mailbox: account.email });
    await page.getByLabel('Kind of file').selectOption('pst');
    await page.getByLabel('Engine', { exact: true }).selectOption('readpst');
    await page.getByRole('group', { name: 'New server' }).getByLabel('Password').fill(account.destPassword);
    await page.getByRole('button', { name: 'Add the mailbox' }).click();
    await expect(page.getByRole('heading', { name: 'Files', level: 1 })).toBeVisible();
  });
  const files = new URL(page.url()).pathname;

  await test.step('brings the file, which both readers go through', async () => {
    await page.getByLabel('Files', { exact: true }).setInputFiles(await lab.outlookFile());
    await page.getByRole('button', { name: 'Upload' }).click();
    const row = section(page, 'Files that are here').getByRole('row').filter({ hasText: 'outlook.pst' });
    const state = async () => {
      await page.goto(files);
      return row.innerText();
    };
    await expect.poll(state, { timeout: 180_000 }).toMatch(/Ready/);
    await lab.idle(job);
    await expect(row.getByRole('cell').nth(2)).toHaveText('13');
  });

  await test.step('sees where their counts differ, and what readpst printed', async () => {
    await page.getByRole('link', { name: 'outlook.pst' }).click();
    await expect(fact(page, 'Format')).toHaveText('PST, Unicode, by readpst');
    await expect(page.getByRole('main')).toContainText('Mural: readpst wrote 0 of 1 messages.');
    await looksRight(page, desk, 'readpst-file');
    await fact(page, 'Read through by').getByRole('link', { name: /^Reading a file #/ }).click();
    await expect(page.getByRole('heading', { name: /^Reading a file/, level: 1 })).toBeVisible();
    await expect(fact(page, 'Engine')).toHaveText('readpst');
    await expect(page.getByRole('log')).toContainText(/readpst says: \d+ items done/);
    expect(await downloaded(page, account.email)).toMatch(/Caixa de Entrada/);
    await looksRight(page, desk, 'readpst-read');
  });

  await test.step('copies what readpst wrote, and finds the rest in quarantine', async () => {
    await page.goto(`/jobs/${job}`);
    await press(page, 'Preflight');
    await endedPlainly(page, 'Preflight', 'Success');
    await press(page, 'Initial copy');
    await endedPlainly(page, 'Initial copy', 'Partial');
    await openRun(page, 'Initial copy');
    await expect(fact(page, 'Engine')).toHaveText('readpst');
    await expect(fact(page, 'Transferred')).toHaveText('12');
    await expect(fact(page, 'Quarantined')).toHaveText('1');
    await page.goto(`/jobs/${job}`);
    await press(page, 'Delta');
    await endedPlainly(page, 'Delta', /Success|Partial/);
    await press(page, 'Verify');
    await endedPlainly(page, 'Verify', 'Success');
    await tallied(page, { arrived: 12, quarantined: 1, waived: 0 });
    const { body } = await gateOf(lab, domain, 'technician');
    expect(body.gate).toBe('blocked');
  });

  const lead = await desk.as('ops_lead', { javaScriptEnabled: false });
  await test.step('an ops lead reads why and gives the message up', async () => {
    await lead.goto(`/jobs/${job}/quarantine`);
    const row = lead.getByRole('row').filter({ hasText: 'Mural' });
    await expect(row).toContainText('readpst');
    await row.getByText('Waive …').click();
    await row.getByLabel('Reason').fill('A post of the board, which nobody needs.');
    await row.getByRole('button', { name: 'Waive the message' }).click();
    await expect(lead.getByRole('status').filter({ hasText: 'The message was waived.' })).toBeVisible();
    await lead.goto(`/jobs/${job}`);
    await tallied(lead, { arrived: 12, quarantined: 0, waived: 1 });
  });

  await test.step('opens the gate and records the new MX', () => opensTheGate(lead, desk, job, domain));

  await test.step('a last copy brings nothing twice', async () => {
    await page.goto(`/jobs/${job}`);
    await press(page, 'Final copy');
    await endedPlainly(page, 'Final copy', 'Success');
    await press(page, 'Verify');
    await endedPlainly(page, 'Verify', 'Success');
    await tallied(page, { arrived: 12, quarantined: 0, waived: 1 });
    await expect(phase(page)).toContainText('Verified');
  });
});

/** Waits for the end of a run on a living page. Its history is made by the server: once it tells of the end, nothing on the
 * page changes any more. */
async function ended(page: Page, kind: string, state: string): Promise<void> {
  await expect(newestRun(page)).toContainText(new RegExp(`${kind}[^]*${state}`), { timeout: 240_000 });
}

/** The same where no script loads the page anew. */
async function endedPlainly(page: Page, kind: string, state: string | RegExp): Promise<void> {
  const row = async () => {
    await page.reload();
    return newestRun(page).innerText();
  };
  const words = typeof state === 'string' ? state : state.source;
  await expect.poll(row, { timeout: 240_000 }).toMatch(new RegExp(`${kind}[^]*(${words})`));
}

/** Opens the newest run from the history of the job. */
async function openRun(page: Page, kind: string): Promise<void> {
  await newestRun(page).getByRole('link', { name: new RegExp(`^${kind} #`) }).click();
  await expect(page.getByRole('heading', { name: new RegExp(`^${kind} #`), level: 1 })).toBeVisible();
}

/** What a program says of a run. */
const said = (page: Page, tool: string) => section(page, `What ${tool} says`);

/** The program's figures stand beside ours. */
async function claimed(page: Page, tool: string, rows: [string, string, string][]): Promise<void> {
  for (const [figure, program, ours] of rows) {
    const row = said(page, tool).getByRole('row').filter({ has: page.getByRole('rowheader', { name: figure, exact: true }) });
    await expect(row.getByRole('cell'), figure).toHaveText([program, ours]);
  }
}

/** The program's whole log, as a technician downloads it. */
async function downloaded(page: Page, what: string): Promise<string> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download its whole log' }).click(),
  ]);
  expect(download.suggestedFilename(), what).toMatch(/^run-\d+-[a-z-]+\.log\.gz$/);
  return gunzipSync(await readFile(await download.path())).toString('utf8');
}

/** Sees the copy go on without loading the page. What is looked at stands still meanwhile: the run waits for its turn first,
 * and is then held on its line. */
async function seesProgress(page: Page, desk: Desk, job: number): Promise<void> {
  const { lab } = desk;
  const [{ bytes_source: bytes }] = await lab.must('technician', 'GET', `/migration/jobs/${job}/mailboxes`);
  const live = page.locator('.live');
  const done = async () => {
    const figures = /^([\d,]+) \/ [\d,]+ messages/.exec(await live.locator('.live-figures').innerText());
    return figures ? Number(figures[1]!.replaceAll(',', '')) : -1;
  };
  try {
    const goOn = await lab.pause(job);
    await press(page, 'Initial copy');
    await live.getByRole('link').click();
    await expect(page.getByRole('heading', { name: /^Initial copy/, level: 1 })).toBeVisible();
    await expect(fact(page, 'Finished')).toHaveText('–');
    await alive(page);
    const same = await mark(page);
    lab.line.holdAfter(0.7 * bytes);
    await goOn();
    await expect.poll(done, { timeout: 120_000 }).toBeGreaterThan(0);
    expect(await same(), 'the page must not have been loaded anew').toBe(true);
    await page.goto(`/jobs/${job}`);
  } finally {
    lab.line.release();
  }
}

/** The evidence of the job's page: its parts are what the source holds. */
async function tallied(page: Page, parts: { arrived: number; quarantined: number; waived: number }): Promise<void> {
  const tally = section(page, 'Evidence').locator('.tally').first();
  await expect(tally.locator('b')).toHaveText(
    [parts.arrived, 0, parts.quarantined, parts.waived, parts.arrived + parts.quarantined + parts.waived].map(String),
  );
}

/** An ops lead approves, the MX is changed, and that is recorded. */
async function opensTheGate(page: Page, desk: Desk, job: number, domain: string): Promise<void> {
  // The page of the approval, as the link leads to it where no script opens a dialog.
  await page.goto(`/jobs/${job}/approve`);
  const form = page.getByRole('main');
  await form.getByLabel('Note for the audit log').fill('Looked through with the customer.');
  await form.getByRole('button', { name: 'Approve this evidence' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'The gate was approved.' })).toBeVisible();
  expect((await gateOf(desk.lab, domain, 'ops_lead')).body).toMatchObject({ gate: 'ready_for_dns', dns_allowed: true });
  const gate = section(page, 'DNS gate');
  await expect(gate).toContainText('Ready for DNS');
  await gate.getByText('The MX was changed …').click();
  await gate.getByRole('button', { name: 'Record the change' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'The change of the MX was recorded.' })).toBeVisible();
}

/** The page has no obstacle and fits, in both themes and languages, wide and narrow. */
async function looksRight(page: Page, desk: Desk, name: string): Promise<void> {
  const { pathname } = new URL(page.url());
  for (const [theme, language, width] of [
    ['light', 'en', 1280],
    ['dark', 'pt-BR', 1280],
    ['light', 'pt-BR', 390],
    ['dark', 'en', 390],
  ] as const) {
    const seen = await desk.as('technician', { viewport: { width, height: 900 } });
    await seen.context().addCookies([
      { name: 'gatepost_theme', value: theme, url: desk.lab.url },
      { name: 'gatepost_lang', value: language, url: desk.lab.url },
    ]);
    await seen.goto(pathname);
    await expect(seen.locator('html')).toHaveAttribute('data-theme', theme);
    await alive(seen);
    const what = `${name} ${theme} ${language} ${width}`;
    const { violations } = await new AxeBuilder({ page: seen }).analyze();
    expect.soft(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(' ')}`), what).toEqual([]);
    const wider = await seen.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect.soft(wider, what).toBeLessThanOrEqual(0);
    if (directory) {
      await mkdir(directory, { recursive: true });
      await seen.screenshot({ path: join(directory, `${name}.${width}.${theme}.${language}.png`), fullPage: true });
    }
    await seen.context().close();
  }
}
