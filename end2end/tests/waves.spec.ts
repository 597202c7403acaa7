// Waves, schedules and pauses: made, filled, started, paused and gone on with at the Desk, with and without JavaScript.

import { expect, makeJob, type Page, test } from '../desk.ts';
import { fact, section, withoutBrowserChecks } from '../steps.ts';
import type { Lab } from '../lab.ts';

/** A job with one mailbox, and a wave by REST. */
async function waveWith(lab: Lab, name: string, domain: string): Promise<{ wave: number; job: number }> {
  const { job } = await makeJob(lab, domain, [lab.mailbox('moved')]);
  const wave = await lab.must('technician', 'POST', '/migration/waves', { name, job_ids: [job] });
  return { wave: wave.id, job };
}

const notice = (page: Page, text: string) => page.getByRole('status').filter({ hasText: text });

/** Loads a page until it shows what is waited for. */
async function until(page: Page, path: string, shown: () => Promise<void>): Promise<void> {
  await expect(async () => {
    await page.goto(path);
    await shown();
  }).toPass({ timeout: 120_000, intervals: [250] });
}

for (const javaScriptEnabled of [true, false]) {
  const title = javaScriptEnabled ? 'with JavaScript' : 'without JavaScript';
  test(`a wave is made, filled, started, paused and gone on with ${title}`, async ({ desk }) => {
    test.setTimeout(600_000);
    const domain = javaScriptEnabled ? 'onda-viva.test' : 'onda-simples.test';
    const name = `Friday ${title}`;
    const { job } = await makeJob(desk.lab, domain, [desk.lab.mailbox('moved')]);
    const page = await desk.as('technician', { javaScriptEnabled });

    await test.step('is made', async () => {
      await page.goto('/waves');
      const form = section(page, 'New wave');
      await form.getByLabel('Name').fill(name);
      await form.getByLabel('Mailboxes at once').fill('2');
      await form.getByLabel('kB per second').fill('5000');
      await form.getByRole('button', { name: 'Create the wave' }).click();
      await expect(page.getByRole('heading', { name, level: 1 })).toBeVisible();
      await expect(notice(page, 'The wave was created.')).toBeVisible();
      await expect(fact(page, 'Mailboxes at once')).toHaveText('2');
      await expect(fact(page, 'Highest rate')).toHaveText('5.0 MB/s');
    });
    const wave = new URL(page.url()).pathname;

    await test.step('takes a job in', async () => {
      await page.getByRole('link', { name: 'Add to this wave' }).click();
      await page.getByLabel('Search').fill(domain);
      await page.getByRole('button', { name: 'Filter' }).click();
      await expect(page).toHaveURL(new RegExp(`[?&]q=${domain.replaceAll('.', '\\.')}`));
      await page.getByRole('checkbox', { name: domain }).check();
      await page.getByRole('button', { name: 'Put into the wave' }).click();
      await expect(notice(page, 'They are in this wave now.')).toBeVisible();
      await expect(section(page, 'In this wave').getByRole('link', { name: domain })).toBeVisible();
      await page.goto(`/jobs/${job}/schedule`);
      await expect(section(page, 'Wave').getByRole('link', { name })).toBeVisible();
    });

    await test.step('says why nothing can be started, and starts what can be', async () => {
      await page.goto(wave);
      const start = section(page, 'Start runs');
      await start.getByLabel('Run').selectOption('delta');
      await start.getByRole('button', { name: 'Start' }).click();
      await expect(page.getByRole('status').filter({ hasText: 'Runs started: 0.' })).toContainText(domain);
      await start.getByLabel('Run').selectOption('preflight');
      await start.getByRole('button', { name: 'Start' }).click();
      await expect(notice(page, 'Runs started: 1.')).toBeVisible();
      const runs = async () => (await desk.lab.must('technician', 'GET', `/migration/jobs/${job}/runs`)).items;
      const states = async () => (await runs()).map((run: any) => run.status);
      await expect.poll(states, { timeout: 120_000 }).toEqual(['success']);
    });

    await test.step('is paused: nothing is begun, and the page says so', async () => {
      await page.goto(wave);
      await page.getByText('Pause this wave …').click();
      await page.getByLabel('Why').fill('The old server is being moved.');
      await page.getByRole('button', { name: 'Pause now' }).click();
      await expect(notice(page, 'Paused.')).toBeVisible();
      const pauses = page.getByRole('list', { name: 'Paused now' });
      await expect(pauses).toContainText(`The wave ${name} is paused`);
      await expect(pauses).toContainText('The old server is being moved.');
      await expect(pauses).toContainText('tecnica@desk.test');
      const start = section(page, 'Start runs');
      await start.getByLabel('Run').selectOption('initial');
      await start.getByRole('button', { name: 'Start' }).click();
      await expect(notice(page, 'Runs started: 1.')).toBeVisible();
      await until(page, wave, async () => {
        await expect(section(page, 'What is stuck')).toContainText('Paused', { timeout: 2_000 });
      });
      await expect(section(page, 'What moves')).toContainText('Nothing moves now.');
      const { items } = await desk.lab.must('technician', 'GET', `/migration/jobs/${job}/runs`);
      expect(items.map((run: any) => run.status)).toContain('queued');
      await page.goto(`/jobs/${job}`);
      await expect(page.getByRole('list', { name: 'Paused now' })).toContainText(name);
    });

    await test.step('goes on, and is done', async () => {
      await page.goto(wave);
      await page.getByRole('button', { name: /^Resume/ }).click();
      await expect(notice(page, 'It goes on.')).toBeVisible();
      await expect(page.getByRole('list', { name: 'Paused now' })).toHaveCount(0);
      await until(page, wave, async () => {
        // The last message has arrived a moment before its run has ended.
        await expect(fact(page, 'Arrived')).toContainText('100%', { timeout: 2_000 });
        await expect(fact(page, 'Ends')).toHaveText('Done', { timeout: 2_000 });
      });
      await desk.lab.idle(job);
      await page.goto('/waves');
      await expect(page.getByRole('row').filter({ hasText: name })).toContainText('100%');
    });

    await test.step('is deleted, and its job stays', async () => {
      await page.goto(wave);
      await page.getByText('Delete the wave …').click();
      await page.getByRole('button', { name: 'Delete the wave' }).click();
      await expect(notice(page, 'The wave was deleted.')).toBeVisible();
      await page.goto(`/jobs/${job}/schedule`);
      await expect(section(page, 'Wave')).toContainText('This job is in no wave.');
    });
  });
}

test('a wave has a schedule of its own, by the clock of its zone', async ({ desk }) => {
  const { wave, job } = await waveWith(desk.lab, 'Nights', 'noites.test');
  const page = await desk.as('technician', { javaScriptEnabled: false });
  await page.goto(`/waves/${wave}`);
  const schedule = section(page, 'Schedule');
  await expect(schedule).toContainText('no schedule of its own');
  await schedule.getByText('Give it a schedule of its own …').click();
  await page.getByLabel('Spread in minutes').fill('0');
  await page.getByLabel('Cron expression').fill('30 2 * * *');
  await page.getByLabel('Time zone').fill('America/Sao_Paulo');
  await page.getByLabel('Window').fill('20:00-06:00');
  await page.getByRole('button', { name: 'Save the schedule' }).click();
  await expect(notice(page, 'Saved.')).toBeVisible();
  await expect(schedule).toContainText('America/Sao_Paulo');
  const next = schedule.locator('.moments li');
  await expect(next).toHaveCount(5);
  await expect(next.first()).toContainText('02:30');
  await expect(next.first()).toContainText('05:30 UTC');
  await page.goto(`/jobs/${job}/schedule`);
  await expect(section(page, 'In force')).toContainText('It comes from the wave Nights.');
  await page.goto('/schedules');
  await expect(page.getByRole('row').filter({ hasText: 'Nights' })).toContainText('30 2 * * *');
  await page.goto(`/waves/${wave}`);
  await schedule.getByText('Change the schedule …').click();
  await schedule.getByRole('button', { name: 'Remove this schedule' }).click();
  await expect(notice(page, 'The schedule was removed.')).toBeVisible();
  await expect(schedule).toContainText('no schedule of its own');
});

test('a schedule that never fires or makes no sense is refused, and what was typed stays', async ({ desk }) => {
  const { job } = await makeJob(desk.lab, 'agenda.test', []);
  const page = await desk.as('technician');
  for (const [field, value] of [
    ['expression', '0 0 31 2 *'],
    ['expression', 'every monday'],
    ['expression', '0 25 * * *'],
    ['time_zone', 'Mars/Olympus'],
    ['window', '25:00-99:00'],
    ['jitter_minutes', '100000'],
  ] as const) {
    await page.goto(`/jobs/${job}/schedule`);
    await page.getByText('Give it a schedule of its own …').click();
    await withoutBrowserChecks(page);
    const input = page.locator(`[name=${field}]`);
    await input.fill(value);
    await page.getByRole('button', { name: 'Save the schedule' }).click();
    await expect(page.getByRole('alert')).toBeVisible();
    await expect(input, `${field} ${value}`).toHaveAttribute('aria-invalid', 'true');
    await expect(input).toHaveValue(value);
  }
  await page.goto('/schedules');
  await expect(page.getByRole('main')).not.toContainText('agenda.test');
});

test("a job's own schedule goes before all others and can be switched off", async ({ desk }) => {
  const { job } = await makeJob(desk.lab, 'propria.test', []);
  const page = await desk.as('technician');
  await page.goto(`/jobs/${job}`);
  await page.getByRole('navigation', { name: 'Pages of this job' }).getByRole('link', { name: 'Schedule' }).click();
  await expect(section(page, 'In force')).toContainText("It is the installation's");
  await expect(fact(page, 'Cron expression')).toHaveText('0 */6 * * *');
  await page.getByText('Give it a schedule of its own …').click();
  await page.getByLabel('Cron expression').fill('15 * * * *');
  await page.getByLabel('Runs start by themselves').uncheck();
  await page.getByRole('button', { name: 'Save the schedule' }).click();
  await expect(section(page, 'In force')).toContainText('This job has a schedule of its own.');
  await expect(section(page, 'In force')).toContainText('Off');
  await expect(page.locator('.moments')).toHaveCount(0);
  await page.getByRole('button', { name: 'Remove this schedule' }).click();
  await expect(section(page, 'In force')).toContainText("It is the installation's");
});

test('a single mailbox is in a wave by itself, chosen on its own page or on the wave’s', async ({ desk }) => {
  const { job } = await makeJob(desk.lab, 'avulsa.test', [desk.lab.mailbox('moved'), desk.lab.mailbox('oversize')]);
  const wave = await desk.lab.must('technician', 'POST', '/migration/waves', { name: 'Directors' });
  const mailboxes = await desk.lab.must('technician', 'GET', `/migration/jobs/${job}/mailboxes`);
  const [first, second] = (mailboxes.items ?? mailboxes) as { id: number; email: string }[];
  const page = await desk.as('technician', { javaScriptEnabled: false });
  await page.goto(`/mailboxes/${first!.id}`);
  await page.getByLabel('Put into').selectOption({ label: 'Directors' });
  await page.getByRole('button', { name: 'Change the wave' }).click();
  await expect(section(page, 'Wave').getByRole('link', { name: 'Directors' })).toBeVisible();
  await page.goto(`/waves/${wave.id}/join?job_id=${job}`);
  await page.getByRole('checkbox', { name: second!.email }).check();
  await page.getByRole('button', { name: 'Put into the wave' }).click();
  const members = section(page, 'In this wave');
  for (const { email } of [first!, second!]) await expect(members.getByRole('link', { name: email })).toBeVisible();
  await members.getByRole('button', { name: `Take out ${second!.email}` }).click();
  await expect(notice(page, 'Taken out of the wave.')).toBeVisible();
  await expect(members.getByRole('link', { name: second!.email })).toHaveCount(0);
  await page.goto(`/mailboxes/${first!.id}`);
  await page.getByLabel('Put into').selectOption({ label: 'No wave' });
  await page.getByRole('button', { name: 'Change the wave' }).click();
  await expect(section(page, 'Wave').getByRole('link', { name: 'Directors' })).toHaveCount(0);
});

test('everything and a host can be paused; the overview says so, and who did it', async ({ desk }) => {
  const page = await desk.as('ops_lead', { javaScriptEnabled: false });
  // As the dashboard's hosts lead here: the form is open and filled.
  await page.goto('/waves?host=imap.elsewhere.test');
  await expect(page.getByLabel('Mail host')).toHaveValue('imap.elsewhere.test');
  await page.getByRole('button', { name: 'Pause now' }).click();
  const pauses = page.getByRole('list', { name: 'Paused now' });
  await expect(pauses).toContainText('The host imap.elsewhere.test is paused');
  await page.getByText('Pause …', { exact: true }).click();
  await page.getByLabel('Why').fill('Storage at its limit');
  await page.getByRole('button', { name: 'Pause now' }).click();
  await expect(pauses).toContainText('Everything is paused');
  const technician = await desk.as('technician');
  await technician.goto('/');
  await expect(technician.getByRole('list', { name: 'Paused now' })).toContainText('Storage at its limit');
  await expect(technician.getByRole('list', { name: 'Paused now' })).toContainText('lider@desk.test');
  for (const what of ['Everything is paused', 'The host imap.elsewhere.test is paused']) {
    await page.goto('/waves');
    await page.getByRole('button', { name: `Resume ${what}` }).click();
    await expect(notice(page, 'It goes on.')).toBeVisible();
  }
  await expect(pauses).toHaveCount(0);
  const audit = await desk.lab.must('ops_lead', 'GET', '/audit?per_page=20&sort=-id');
  const actions = audit.items.map((entry: any) => entry.action);
  expect(actions).toContain('pause.begin');
});

test('a technician pauses no more than a wave or a job', async ({ desk }) => {
  const page = await desk.as('technician');
  await page.goto('/waves');
  await expect(page.getByText('Pause …', { exact: true })).toHaveCount(0);
  for (const form of [{ scope: 'everything' }, { scope: 'host', host: 'imap.elsewhere.test' }]) {
    const headers = { origin: desk.lab.url, accept: 'application/json' };
    const answer = await page.request.post('/api/fn/pause', { form, headers, maxRedirects: 0 });
    expect.soft(answer.status(), form.scope).toBe(403);
  }
  expect(await desk.lab.must('technician', 'GET', '/migration/pauses')).toEqual([]);
});

test('bad input to the forms of waves and pauses is refused', async ({ desk }) => {
  const page = await desk.as('ops_lead');
  await page.goto('/waves');
  await withoutBrowserChecks(page);
  const form = section(page, 'New wave');
  await form.getByLabel('Name').fill('x'.repeat(300));
  await form.getByLabel('Mailboxes at once').fill('0');
  await form.getByRole('button', { name: 'Create the wave' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page.locator('[name=name]')).toHaveValue('x'.repeat(300));
  await page.goto('/waves');
  await page.getByText('Pause …', { exact: true }).click();
  await page.getByLabel('What to pause').selectOption({ label: 'Mail host' });
  await page.getByRole('button', { name: 'Pause now' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page.locator('[name=host]')).toHaveAttribute('aria-invalid', 'true');
  const { wave } = await waveWith(desk.lab, 'Twice', 'duas.test');
  const again = await desk.lab.rest('technician', 'POST', '/migration/waves', { name: 'Twice' });
  expect([409, 422]).toContain(again.status);
  await page.goto(`/waves/${wave}/join`);
  await page.getByRole('button', { name: 'Put into the wave' }).click();
  await expect(page.getByRole('alert')).toContainText('Choose at least one.');
});
