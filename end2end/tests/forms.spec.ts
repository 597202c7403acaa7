// Bad input: each wrong field says so, what was typed stays (passwords never), and what is refused is not stored.

import { alive, expect, makeJob, type Page, test } from '../desk.ts';
import { fill, newestRun, press, section, withoutBrowserChecks } from '../steps.ts';

/** Text that would do harm where it is not treated as text. */
const EVIL = `<img src=x onerror="window.hacked=1"> '; DROP TABLE tenants; -- {{ x }} \\ "ação"`;

interface Refused {
  form: string;
  path: (job: number, mailbox: number) => string;
  role: 'technician' | 'super_admin';
  /** What is typed, by field name. */
  typed: Record<string, string>;
  submit: string;
  /** The fields that must be complained about. */
  wrong: string[];
}

const REFUSED: Refused[] = [
  {
    form: 'a tenant',
    path: () => '/tenants',
    role: 'technician',
    typed: { name: 'x'.repeat(300) },
    submit: 'Create the tenant',
    wrong: ['name'],
  },
  {
    form: 'a ticket',
    path: () => '/tickets/new',
    role: 'technician',
    typed: { subject: 'x'.repeat(400), body: 'kept' },
    submit: 'Create the ticket',
    wrong: ['tenant_id'],
  },
  {
    form: 'a job',
    path: () => '/jobs/new',
    role: 'technician',
    typed: {
      domain: 'no domain',
      source_server_label: 'kept',
      dest_imap_host: 'http://x',
      dest_imap_port: '99999',
      notes: 'kept\ntoo',
    },
    submit: 'Open the job',
    wrong: ['tenant_id', 'dest_imap_port'],
  },
  {
    form: 'a change of a job',
    path: (job) => `/jobs/${job}/edit`,
    role: 'technician',
    typed: { dest_imap_host: 'a b', notes: 'kept' },
    submit: 'Save changes',
    wrong: ['dest_imap_host'],
  },
  {
    form: 'a mailbox',
    path: (job) => `/jobs/${job}/mailboxes/new`,
    role: 'technician',
    typed: {
      email: 'kept@viva.test',
      source_host: 'kept.example',
      source_port: '0x1',
      source_password: 'never kept',
      dest_password: 'never kept',
      folder_map: 'no mapping',
    },
    submit: 'Add the mailbox',
    wrong: ['source_port', 'folder_map'],
  },
  {
    form: 'another mailbox',
    path: (job) => `/jobs/${job}/mailboxes/new`,
    role: 'technician',
    typed: { email: 'nobody', source_host: 'a host', source_password: 'never kept' },
    submit: 'Add the mailbox',
    wrong: ['email', 'source_host'],
  },
  {
    form: 'a change of a mailbox',
    path: (_, mailbox) => `/mailboxes/${mailbox}`,
    role: 'technician',
    typed: { source_host: 'a host', source_password: 'never kept', folder_map: '= = =' },
    submit: 'Save changes',
    wrong: ['folder_map'],
  },
  {
    form: 'a user',
    path: () => '/users',
    role: 'super_admin',
    typed: { email: 'nobody', name: 'Kept', password: 'short' },
    submit: 'Create the user',
    wrong: ['email', 'password'],
  },
  {
    form: 'a token',
    path: () => '/tokens',
    role: 'super_admin',
    typed: { name: 'kept', expires_in_days: '0' },
    submit: 'Create the token',
    wrong: ['expires_in_days'],
  },
];

for (const { form, path, role, typed, submit, wrong } of REFUSED) {
  test(`a refused form of ${form} says what is wrong at each field and keeps what was typed`, async ({ desk, moved }) => {
    // A browser remarks on what it finds in a field for numbers.
    desk.expectTrouble(/cannot be parsed, or is out of range/);
    const page = await desk.as(role);
    await page.goto(path(moved.job, moved.mailbox));
    await withoutBrowserChecks(page);
    const target = page.locator('form').filter({ has: page.getByRole('button', { name: submit, exact: true }) }).last();
    for (const [name, value] of Object.entries(typed)) {
      const field = target.locator(`[name=${name}]`);
      // A browser lets nobody type letters into a field for numbers; a program may send them.
      await field.evaluate((input) => input.getAttribute('type') === 'number' && input.setAttribute('type', 'text'));
      await field.fill(value);
    }
    await target.getByRole('button', { name: submit, exact: true }).click();
    const summary = page.getByRole('alert');
    await expect(summary).toBeVisible();
    await expect(summary).toBeFocused();
    for (const name of wrong) {
      const field = page.locator(`#field-${name.replaceAll('_', '-')}`);
      await expect.soft(field, `${name} is marked`).toHaveAttribute('aria-invalid', 'true');
      await expect.soft(page.locator(`#${await field.getAttribute('id')}-error`), `${name} has its error`).not.toBeEmpty();
      await expect.soft(summary.locator(`a[href="#${await field.getAttribute('id')}"]`)).not.toHaveCount(0);
    }
    for (const [name, value] of Object.entries(typed)) {
      const field = page.locator(`#field-${name.replaceAll('_', '-')}`);
      if ((await field.getAttribute('type')) === 'password') await expect.soft(field, name).toHaveValue('');
      else if ((await field.getAttribute('type')) !== 'number') await expect.soft(field, name).toHaveValue(value);
    }
    expect(await page.content()).not.toContain('never kept');
    // The refusal is told once.
    await page.reload();
    await expect(page.getByRole('alert')).toHaveCount(0);
  });
}

test('a form can be filled again after a refusal, without JavaScript', async ({ desk }) => {
  const page = await desk.as('technician', { javaScriptEnabled: false });
  await page.goto('/tenants');
  const form = section(page, 'New tenant');
  await form.getByLabel('Tenant').fill('   ');
  await form.getByRole('button').click();
  await expect(page.getByRole('alert')).toBeVisible();
  await form.getByLabel('Tenant').fill('Second attempt');
  await form.getByRole('button').click();
  await expect(page.getByRole('rowheader', { name: 'Second attempt' })).toBeVisible();
});

test('markup and SQL in a text come back as text', async ({ desk, lab }) => {
  const page = await desk.as('super_admin');
  // The page before may say the same: each is known by its heading.
  const untouched = async (place: string, heading: string) => {
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(heading);
    await expect.soft(page.getByRole('main'), place).toContainText('<img src=x');
    expect.soft(await page.evaluate(() => 'hacked' in window), place).toBe(false);
    expect.soft(await page.locator('main img').count(), place).toBe(0);
  };
  await page.goto('/tenants');
  await section(page, 'New tenant').getByLabel('Tenant').fill(EVIL);
  await page.getByRole('button', { name: 'Create the tenant' }).click();
  await untouched('tenants', 'Tenants');
  await expect(page.getByRole('rowheader', { name: EVIL })).toBeVisible();

  await page.goto('/tickets/new');
  await page.getByLabel('Tenant').selectOption(EVIL);
  await fill(page, { Subject: EVIL });
  await page.getByLabel('Text').fill(`${EVIL}\n</textarea></p>`);
  await page.getByRole('button', { name: 'Create the ticket' }).click();
  await untouched('ticket', EVIL);
  await expect(page).toHaveTitle(`${EVIL} · Gatepost`);

  await page.getByRole('link', { name: 'Open a job' }).click();
  await untouched('new job', 'New job');
  await fill(page, { Domain: 'evil.test' });
  await page.getByLabel("Old server's name").fill(EVIL);
  await page.getByLabel('Host').fill('localhost');
  await page.getByLabel('Port').fill(String(lab.destPort));
  await page.getByLabel('Notes').fill(EVIL);
  await page.getByRole('button', { name: 'Open the job' }).click();
  await untouched('job', 'evil.test');

  await page.goto('/users');
  await page.locator('#field-name').fill(EVIL);
  await page.locator('#field-email').fill('evil@desk.test');
  await page.locator('#field-password').fill('a long password, really');
  await page.getByRole('button', { name: 'Create the user' }).click();
  await untouched('users', 'Users');

  await page.goto('/tokens');
  await page.locator('#field-name').fill(EVIL);
  await page.getByLabel('gate:read').check();
  await page.getByRole('button', { name: 'Create the token' }).click();
  await untouched('tokens', 'Service tokens');

  await page.goto(`/tickets?q=${encodeURIComponent(EVIL)}`);
  await expect(page.getByLabel('Search')).toHaveValue(EVIL);
  await expect(page.getByRole('rowheader', { name: EVIL })).toBeVisible();
  await page.goto('/audit');
  expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
});

test('a list with bad lines names each of them and stores nothing', async ({ desk, lab }) => {
  const { job } = await makeJob(lab, 'lista.test', []);
  const page = await desk.as('technician');
  await page.goto(`/jobs/${job}/import`);
  const lines = [
    'email,source_host,source_port,source_password,dest_password',
    'fine@lista.test,imap.old.example,993,hidden-1,hidden-2',
    'nobody,imap.old.example,993,hidden-3,hidden-4',
    'fine2@lista.test,imap.old.example,port,hidden-5,hidden-6',
    'fine@lista.test,imap.old.example,993,hidden-7,hidden-8',
    'too,few',
  ];
  await page.getByLabel('CSV text').fill(lines.join('\n'));
  await page.getByRole('button', { name: 'Import mailboxes' }).click();
  const summary = page.getByRole('alert');
  for (const line of [3, 4, 5, 6]) await expect.soft(summary).toContainText(`line ${line}: `);
  await expect.soft(summary).not.toContainText('line 2: ');
  expect(await page.content()).not.toContain('hidden-');
  const stored = await lab.must('technician', 'GET', `/migration/jobs/${job}/mailboxes`);
  expect(stored.items ?? stored).toEqual([]);
});

test('a good list is imported from a file', async ({ desk, lab }) => {
  const { job } = await makeJob(lab, 'arquivo.test', []);
  const page = await desk.as('technician');
  await page.goto(`/jobs/${job}/import`);
  await alive(page);
  const csv = 'email;source_host\nana@arquivo.test;imap.old.example\njosé@arquivo.test;imap.old.example\n';
  await page.getByLabel('CSV file').setInputFiles({ name: 'a.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
  await expect(page.getByLabel('CSV text')).toHaveValue(csv);
  await page.getByRole('button', { name: 'Import mailboxes' }).click();
  await expect(section(page, 'Mailboxes').getByRole('rowheader')).toHaveText(['ana@arquivo.test', 'josé@arquivo.test']);
});

test('a wrong log-in says nothing about which part was wrong, and keeps the address', async ({ desk, lab }) => {
  const said = new Set<string>();
  for (const email of [lab.people.ops_lead.email, 'nobody@desk.test']) {
    const page = await desk.stranger();
    await page.goto('/login?next=/tickets');
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill('not the password');
    await page.getByRole('button', { name: 'Log in' }).click();
    await expect(page.getByRole('alert')).toBeFocused();
    said.add(await page.getByRole('alert').innerText());
    await expect(page.getByLabel('E-mail')).toHaveValue(email);
    await expect(page.getByLabel('Password')).toHaveValue('');
    expect(await page.content()).not.toContain('not the password');
    expect(new URL(page.url()).searchParams.get('next')).toBe('/tickets');
  }
  expect(said.size).toBe(1);
});

test('too many attempts to log in are refused for a while', async ({ desk, lab }) => {
  const page = await desk.stranger();
  await page.goto('/login');
  const guess = async () =>
    (await lab.rest(null, 'POST', '/auth/token', { email: 'guessed@desk.test', password: 'a guess' })).status;
  // All at once: each is counted before its password is looked at, and what was counted is forgiven with time.
  const statuses = await Promise.all(Array.from({ length: 14 }, guess));
  expect(statuses.filter((status) => status === 401).length).toBeGreaterThanOrEqual(10);
  expect(statuses).toContain(429);
  expect(statuses.filter((status) => status !== 401 && status !== 429)).toEqual([]);
  await expect(async () => {
    await guess();
    await page.getByLabel('E-mail').fill('guessed@desk.test');
    await page.getByLabel('Password').fill('again');
    await page.getByRole('button', { name: 'Log in' }).click();
    await expect(page.getByLabel('Password')).toHaveValue('');
    await expect(page.getByRole('alert')).toContainText('Too many attempts', { timeout: 2_000 });
  }).toPass();
});

interface Fault {
  what: string;
  domain: string;
  change: (lab: { destPort: number }) => Record<string, unknown>;
  sentence: RegExp;
}

const FAULTS: Fault[] = [
  {
    what: 'a wrong password',
    domain: 'senha.test',
    change: () => ({ source_secret: { password: 'a wrong one' } }),
    sentence: /password|log-in|refused/i,
  },
  {
    what: 'an unknown host',
    domain: 'nenhum.test',
    change: () => ({ source_host: 'no-such-host.invalid' }),
    sentence: /no-such-host\.invalid/,
  },
  {
    what: 'a port where nobody listens',
    domain: 'porta.test',
    change: () => ({ source_port: 1 }),
    sentence: /localhost:1\b/,
  },
];

for (const { what, domain, change, sentence } of FAULTS) {
  test(`${what} becomes a clear sentence on the run and on the mailbox`, async ({ desk, lab }) => {
    // A resolver that does not answer is asked more than once.
    test.setTimeout(600_000);
    const mailbox = { ...lab.mailbox('moved'), ...change(lab) };
    const { job } = await makeJob(lab, domain, [mailbox]);
    // A living page loads itself anew when a run ends, which would cross the reloads below.
    const page = await desk.as('technician', { javaScriptEnabled: false });
    await page.goto(`/jobs/${job}`);
    await press(page, 'Preflight');
    const newest = async () => {
      await page.goto(`/jobs/${job}`);
      return newestRun(page).innerText();
    };
    await expect.poll(newest, { timeout: 300_000 }).toMatch(/Preflight[^]*Failed/);
    const row = section(page, 'Mailboxes').getByRole('row').nth(1);
    await expect(row).toContainText('Error');
    await expect(row).toContainText(sentence);
    await newestRun(page).getByRole('link').first().click();
    await expect(page.locator('.notice.bad')).toContainText(sentence);
    await isSentence(page.locator('.notice.bad').innerText());
    expect(await page.content()).not.toContain('a wrong one');
    await page.goto('/');
    await expect(section(page, 'Needing attention').getByRole('row', { name: domain })).toBeVisible();
  });
}

/** A sentence for a person: no debug output, no names of types. */
async function isSentence(text: Promise<string>): Promise<void> {
  const said = (await text).trim();
  expect(said).toMatch(/^\S.* .*\.$/s);
  expect(said).not.toMatch(/[{}]|::|Error\(|Os \{|panicked/);
}
