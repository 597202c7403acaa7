// The Desk as a test sees it: fixtures for every spec. A page of a test may say nothing on the console, may break no
// rule of the content security policy and may lose no request, unless the test has announced it.

import { test as base, expect, type BrowserContext, type Page, type Response } from '@playwright/test';
import { type Answer, Lab, type MailboxName, type Role } from './lab.ts';

export { expect, type Page };

/** A job with proof, a gate that is shut for a reason, and a message in quarantine. */
export interface MovedJob {
  job: number;
  ticket: number;
  mailbox: number;
  /** A run that ended well. */
  run: number;
  /** The wave that the job is in. */
  wave: number;
}

/** What a test may announce, and how it gets to its pages. */
export class Desk {
  private readonly troubles: string[] = [];
  private watching = true;
  private readonly allowed: RegExp[] = [];

  constructor(
    readonly lab: Lab,
    private readonly newContext: (options: object) => Promise<BrowserContext>,
    private readonly sessions: Map<Role, Session>,
  ) {}

  /** Announces a trouble that belongs to the test: a status such as `403 /jobs`, or a text on the console. */
  expectTrouble(what: RegExp): void {
    this.allowed.push(what);
  }

  /** A page without a log-in. */
  async stranger(options: object = {}): Promise<Page> {
    const context = await this.newContext({ baseURL: this.lab.url, ...options });
    const page = await context.newPage();
    this.watch(page);
    return page;
  }

  /** A page of somebody who is logged in. */
  async as(role: Role, options: object = {}): Promise<Page> {
    let session = this.sessions.get(role);
    if (!session) {
      const page = await this.stranger();
      await logIn(page, this.lab, role);
      session = await page.context().storageState();
      // Kept for all tests, for log-ins are counted.
      this.sessions.set(role, session);
      await page.context().close();
    }
    return this.stranger({ ...options, storageState: session });
  }

  /** Goes through all pages in turn, each as the role that may see it; one page for each role is kept open. */
  async *tour(moved: MovedJob, options: object = {}): AsyncGenerator<{ name: string; path: string; page: Page }> {
    const open = new Map<Role | null, Page>();
    for (const { name, path, role } of pages(moved)) {
      const page = open.get(role) ?? (role === null ? await this.stranger(options) : await this.as(role, options));
      open.set(role, page);
      yield { name, path, page };
    }
    for (const page of open.values()) await page.context().close();
  }

  private watch(page: Page): void {
    const note = (text: string) => this.watching && this.troubles.push(text);
    page.on('console', (message) => {
      // Chromium repeats each status on the console; the response itself is noted below.
      if (['error', 'warning'].includes(message.type()) && !message.text().startsWith('Failed to load resource')) {
        note(`console: ${message.text()}`);
      }
    });
    page.on('pageerror', (error) => note(`script: ${error.message}`));
    page.on('requestfailed', (request) => {
      const why = request.failure()?.errorText ?? '';
      // Streams and downloads end when their page is left.
      if (why !== 'net::ERR_ABORTED') note(`${why} ${request.method()} ${request.url()}`);
    });
    page.on('response', (response: Response) => {
      const { pathname, origin } = new URL(response.url());
      if (origin !== this.lab.url) note(`a request left the Desk: ${response.url()}`);
      if (response.status() >= 400) note(`${response.status()} ${pathname}`);
    });
  }

  /** The pages are closed now: what breaks off by that is no trouble of theirs. */
  leave(): void {
    this.watching = false;
  }

  /** Fails for what was not announced. */
  finish(): void {
    const unexpected = this.troubles.filter((text) => !this.allowed.some((pattern) => pattern.test(text)));
    expect(unexpected, 'the pages must be without trouble').toEqual([]);
  }
}

type Session = Awaited<ReturnType<BrowserContext['storageState']>>;

interface WorkerFixtures {
  lab: Lab;
  sessions: Map<Role, Session>;
  moved: MovedJob;
}

export const test = base.extend<{ desk: Desk }, WorkerFixtures>({
  lab: [
    async ({}, use) => {
      const lab = await Lab.start();
      await use(lab);
      await lab.stop();
    },
    { scope: 'worker', timeout: 600_000 },
  ],

  sessions: [async ({}, use) => use(new Map()), { scope: 'worker' }],

  moved: [async ({ lab }, use) => use(await move(lab)), { scope: 'worker', timeout: 600_000 }],

  desk: async ({ browser, lab, sessions, contextOptions, locale, timezoneId, viewport }, use, info) => {
    const contexts: BrowserContext[] = [];
    const desk = new Desk(
      lab,
      async (options) => {
        const context = await browser.newContext({ ...contextOptions, locale, timezoneId, viewport, ...options });
        contexts.push(context);
        return context;
      },
      sessions,
    );
    lab.takeLog();
    await use(desk);
    desk.leave();
    for (const context of contexts) await context.close();
    const log = lab.takeLog();
    if (info.status !== info.expectedStatus && log) console.error(`The Desk's log:\n${log}`);
    desk.finish();
  },
});

/** Logs in by the form. */
export async function logIn(page: Page, lab: Lab, role: Role): Promise<void> {
  const { email, password } = lab.people[role];
  await page.goto('/login');
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('heading', { name: 'Overview', level: 1 })).toBeVisible();
}

/** Logs out. */
export async function logOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Log out' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'You are logged out.' })).toBeVisible();
}

/** Makes a tenant, a ticket and a job by REST. */
export async function makeJob(lab: Lab, domain: string, mailboxes: Record<string, unknown>[]) {
  const tenant = await lab.must('technician', 'POST', '/tenants', { name: `Tenant of ${domain}` });
  const ticket = await lab.must('technician', 'POST', '/tickets', {
    tenant_id: tenant.id,
    subject: `Move ${domain} to the new server`,
    body: 'The bakery moves.\nMaria first.',
  });
  const job = await lab.must('technician', 'POST', '/migration/jobs', {
    domain,
    tenant_id: tenant.id,
    ticket_id: ticket.id,
    source_server_label: 'Old Dovecot',
    dest_imap_host: 'localhost',
    dest_imap_port: lab.destPort,
    notes: 'After office hours only.',
    mailboxes,
  });
  return { job: job.id as number, ticket: ticket.id as number };
}

async function move(lab: Lab): Promise<MovedJob> {
  const names: MailboxName[] = ['moved', 'oversize'];
  const made = await makeJob(
    lab,
    'padaria.test',
    names.map((name) => lab.mailbox(name)),
  );
  const job = `/migration/jobs/${made.job}`;
  const looked = await lab.runToEnd(`${job}/preflight`);
  if (looked.includes('failed')) throw new Error(`the preflight failed:\n${lab.takeLog()}`);
  await lab.runToEnd(`${job}/sync`, { type: 'initial' });
  await lab.runToEnd(`${job}/sync`, { type: 'delta' });
  await lab.runToEnd(`${job}/verify`);
  const mailboxes = await lab.must('technician', 'GET', `${job}/mailboxes`);
  const runs = await lab.must('technician', 'GET', `${job}/runs?per_page=200`);
  const run = runs.items.find((one: any) => one.run_type === 'initial' && one.status === 'success');
  const wave = await lab.must('technician', 'POST', '/migration/waves', { name: 'Bakeries', job_ids: [made.job] });
  return { ...made, mailbox: (mailboxes.items ?? mailboxes)[0].id, run: run.id, wave: wave.id };
}

/** Every page of the Desk, with the lowest role that may see it. */
export function pages(moved: MovedJob): { name: string; path: string; role: Role | null }[] {
  const { job, ticket, mailbox, run, wave } = moved;
  return [
    { name: 'log-in', path: '/login', role: null },
    { name: 'overview', path: '/', role: 'technician' },
    { name: 'tickets', path: '/tickets', role: 'technician' },
    { name: 'new-ticket', path: '/tickets/new', role: 'technician' },
    { name: 'ticket', path: `/tickets/${ticket}`, role: 'technician' },
    { name: 'jobs', path: '/jobs', role: 'technician' },
    { name: 'new-job', path: `/jobs/new?ticket_id=${ticket}`, role: 'technician' },
    { name: 'job', path: `/jobs/${job}`, role: 'super_admin' },
    { name: 'change-job', path: `/jobs/${job}/edit`, role: 'technician' },
    { name: 'new-mailbox', path: `/jobs/${job}/mailboxes/new`, role: 'technician' },
    { name: 'new-mailbox-from-file', path: `/jobs/${job}/mailboxes/new?from=file`, role: 'technician' },
    { name: 'import', path: `/jobs/${job}/import`, role: 'technician' },
    { name: 'discover', path: `/jobs/${job}/discover`, role: 'technician' },
    { name: 'log-ins', path: `/jobs/${job}/logins`, role: 'technician' },
    { name: 'evidence', path: `/jobs/${job}/evidence`, role: 'technician' },
    { name: 'residue', path: `/jobs/${job}/residue`, role: 'ops_lead' },
    { name: 'timeline', path: `/jobs/${job}/timeline`, role: 'technician' },
    { name: 'quarantine', path: `/jobs/${job}/quarantine`, role: 'ops_lead' },
    { name: 'schedule', path: `/jobs/${job}/schedule`, role: 'technician' },
    { name: 'cutover', path: `/jobs/${job}/cutover`, role: 'ops_lead' },
    { name: 'report', path: `/jobs/${job}/report`, role: 'technician' },
    { name: 'timeline', path: `/jobs/${job}/timeline`, role: 'ops_lead' },
    { name: 'approval', path: `/jobs/${job}/approve`, role: 'super_admin' },
    { name: 'mailbox', path: `/mailboxes/${mailbox}`, role: 'technician' },
    { name: 'run', path: `/runs/${run}`, role: 'technician' },
    { name: 'waves', path: '/waves', role: 'ops_lead' },
    { name: 'wave', path: `/waves/${wave}`, role: 'technician' },
    { name: 'join-wave', path: `/waves/${wave}/join`, role: 'technician' },
    { name: 'join-wave-mailboxes', path: `/waves/${wave}/join?job_id=${job}`, role: 'technician' },
    { name: 'schedules', path: '/schedules', role: 'technician' },
    { name: 'consents', path: `/jobs/${job}/consents`, role: 'ops_lead' },
    { name: 'mailbox-consent', path: `/mailboxes/${mailbox}/consent`, role: 'technician' },
    { name: 'oauth-applications', path: '/settings/oauth', role: 'ops_lead' },
    { name: 'tenants', path: '/tenants', role: 'technician' },
    { name: 'audit', path: '/audit', role: 'ops_lead' },
    { name: 'users', path: '/users', role: 'super_admin' },
    { name: 'tokens', path: '/tokens', role: 'super_admin' },
    { name: 'webhooks', path: '/webhooks', role: 'super_admin' },
    { name: 'not-found', path: '/jobs/999999', role: 'technician' },
  ];
}

/** Waits until the islands of a page are alive. */
export async function alive(page: Page): Promise<void> {
  await expect(page.locator('html')).toHaveAttribute('data-alive');
}

/** The verdict of a domain's gate. */
export async function gateOf(lab: Lab, domain: string, as: Role | { bearer: string }): Promise<Answer> {
  return lab.rest(as, 'GET', `/migration/gate?domain=${domain}`);
}
