// The laboratory of a test worker: two real mail servers with generated mail, and a Desk beside them. Everything lives
// in one temporary directory and ends with the worker. Knows nothing of browsers.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { chmod, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Line } from './line.ts';

const run = promisify(execFile);
const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, '../target');
const bin = process.env.GATEPOST_BIN_DIR ?? join(target, 'debug');
const site = process.env.GATEPOST_SITE_ROOT ?? join(target, 'site');

/** The roles of the Desk. */
export type Role = 'technician' | 'ops_lead' | 'super_admin';

/** Somebody who can log in. */
export interface Person {
  email: string;
  name: string;
  role: Role;
  password: string;
}

/** A mailbox that exists at both servers. */
export interface Account {
  email: string;
  sourcePassword: string;
  destPassword: string;
}

/** The mailboxes of the laboratory, and what they are for. */
const MAILBOXES = {
  /** Moved in the browser with JavaScript. */
  living: { email: 'ana@viva.test', messages: 400, largeMb: 0 },
  /** Moved in the browser without JavaScript. */
  plain: { email: 'rui@simples.test', messages: 120, largeMb: 0 },
  /** Moved before the pages are looked at. */
  moved: { email: 'maria@padaria.test', messages: 90, largeMb: 0 },
  /** Holds a message that the new server refuses. */
  oversize: { email: 'joao@padaria.test', messages: 40, largeMb: 3 },
  /** Filled from files. */
  filed: { email: 'lia@arquivo.test', messages: 1, largeMb: 0 },
  /** Opened by a consent of their owners, or of their administrator. */
  consenting: { email: 'eva@consente.test', messages: 1, largeMb: 0 },
  delegated: { email: 'leo@consente.test', messages: 1, largeMb: 0 },
  /** Moved by doveadm, by imapsync, and out of a PST by readpst. */
  byDoveadm: { email: 'dora@dovecot.test', messages: 120, largeMb: 0 },
  byImapsync: { email: 'ivo@sincroniza.test', messages: 100, largeMb: 0 },
  byReadpst: { email: 'olga@outlook.test', messages: 1, largeMb: 0 },
} as const;

export type MailboxName = keyof typeof MAILBOXES;

/** The largest message that the new server takes. */
const MAX_MESSAGE_BYTES = 2_500_000;

/** The states of a run that has ended. */
const ENDED = ['success', 'partial', 'failed'];

/** How long a starting process may take, and a run. */
const START_MS = 180_000;

/** What has just ended may still write a moment. */
const REMOVAL = { recursive: true, force: true, maxRetries: 20, retryDelay: 100 };

interface Dovecot {
  imap_port: number;
  imaps_port: number;
  ca_file: string;
  /** Its configuration, `dovecot.conf`, lies there. */
  dir: string;
}

/** A provider of OAuth 2 and the mail server that asks it about tokens. */
export interface Provider {
  url: string;
  /** The key file of its service account. */
  serviceAccount: string;
  clientId: string;
  clientSecret: string;
  /** Port of the mail server, without TLS. */
  imapPort: number;
}

/** An answer of the REST interface. */
export interface Answer {
  status: number;
  body: any;
}

export class Lab {
  readonly people: Record<Role, Person>;
  readonly accounts: Record<MailboxName, Account>;
  url = '';
  /** The folder of the server that files may be taken from. */
  readonly importPath: string;
  /** Port of the old server (TLS), with the delay of a line between two sites. */
  sourcePort = 0;
  /** That line, which can be held. */
  line!: Line;
  /** Port of the new server (TLS). */
  destPort = 0;
  /** Port of the old server without TLS and without delay. */
  private fillPort = 0;
  private readonly children: ChildProcess[] = [];
  private readonly bearers = new Map<Role, { token: string; until: number }>();
  private log = '';
  private providing?: Promise<Provider>;

  private constructor(private readonly dir: string) {
    // When a worker ends without its teardown, nothing of it stays behind.
    process.on('exit', () => {
      for (const child of this.children) child.kill('SIGTERM');
      rmSync(this.dir, REMOVAL);
    });
    this.importPath = join(this.dir, 'import');
    mkdirSync(this.importPath);
    const secret = () => randomBytes(18).toString('base64url');
    const person = (role: Role, email: string, name: string) => ({ role, email, name, password: secret() });
    this.people = {
      technician: person('technician', 'tecnica@desk.test', 'Teresa Técnica'),
      ops_lead: person('ops_lead', 'lider@desk.test', 'Lia Líder'),
      super_admin: person('super_admin', 'admin@desk.test', 'Ada Admin'),
    };
    const account = (name: MailboxName) => ({
      email: MAILBOXES[name].email,
      sourcePassword: secret(),
      destPassword: secret(),
    });
    this.accounts = {
      living: account('living'),
      plain: account('plain'),
      moved: account('moved'),
      oversize: account('oversize'),
      filed: account('filed'),
      consenting: account('consenting'),
      delegated: account('delegated'),
      byDoveadm: account('byDoveadm'),
      byImapsync: account('byImapsync'),
      byReadpst: account('byReadpst'),
    };
  }

  /** Starts everything and waits until the Desk is ready. */
  static async start(): Promise<Lab> {
    const lab = new Lab(await mkdtemp(join(tmpdir(), 'gatepost-end2end-')));
    try {
      await lab.startAll();
      return lab;
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  private async startAll(): Promise<void> {
    const [source, dest] = await Promise.all([
      this.dovecot('source', 'portuguese', 'sourcePassword'),
      this.dovecot('dest', 'english', 'destPassword', '--max-message-bytes', String(MAX_MESSAGE_BYTES)),
    ]);
    await Promise.all(
      (Object.keys(MAILBOXES) as MailboxName[]).map((name, seed) => this.fill(source.imap_port, name, seed + 1)),
    );
    const far = await this.child('proxy', ['proxy', '--to', String(source.imaps_port), '--rtt-ms', '25']);
    this.fillPort = source.imap_port;
    this.line = await Line.to(far.port);
    this.sourcePort = this.line.port;
    this.destPort = dest.imaps_port;
    const authorities = await Promise.all([source, dest].map((server) => readFile(server.ca_file, 'utf8')));
    await this.desk(await this.file('ca.pem', authorities.join('\n')), join(dest.dir, 'dovecot.conf'));
  }

  private async file(name: string, text: string): Promise<string> {
    const path = join(this.dir, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  }

  /** Starts a process of the testkit that says on one line where it listens. */
  private async child(name: string, args: string[]): Promise<any> {
    const child = spawn(join(bin, 'gatepost-testkit'), args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.children.push(child);
    let complaint = '';
    child.stderr.on('data', (text) => (complaint += text));
    const lines = createInterface(child.stdout);
    const first = await Promise.race([
      once(lines, 'line', { signal: AbortSignal.timeout(START_MS) }),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`${name} ended with ${code}: ${complaint}`))),
    ]);
    return JSON.parse(first[0]);
  }

  private async dovecot(
    name: string,
    special: string,
    password: 'sourcePassword' | 'destPassword',
    ...more: string[]
  ): Promise<Dovecot> {
    const users = Object.values(this.accounts).map((account) => `${account.email}:${account[password]}`);
    const file = await this.file(`${name}.users`, users.join('\n'));
    const args = ['serve-dovecot', '--users-file', file, '--special-use', special, '--until-stdin-closes', ...more];
    return this.child(name, args);
  }

  /** The provider, started when it is first asked for. Its accounts are those that consent, with their old passwords. */
  provider(): Promise<Provider> {
    this.providing ??= this.startProvider();
    return this.providing;
  }

  /** Turns a switch of the provider: `revoke`, `expire`, `delegate`, … */
  async turn(what: string, fields: Record<string, string> = {}): Promise<void> {
    const { url } = await this.provider();
    const answer = await fetch(`${url}/control/${what}`, { method: 'POST', body: new URLSearchParams(fields) });
    if (!answer.ok) throw new Error(`${what}: ${answer.status}`);
  }

  private async startProvider(): Promise<Provider> {
    const [clientId, clientSecret] = ['gatepost-desk', randomBytes(18).toString('base64url')];
    const people = (['consenting', 'delegated'] as const).map((name) => this.accounts[name]);
    const users = await this.file('provider.users', people.map((one) => `${one.email}:${one.sourcePassword}`).join('\n'));
    const clients = await this.file('provider.clients', `${clientId}:${clientSecret}`);
    const started = await this.child('provider', ['serve-oauth', '--users-file', users, '--clients-file', clients]);
    const args = ['serve-dovecot', '--users-file', users, '--special-use', 'portuguese', '--until-stdin-closes'];
    const mail = await this.child('oauth', [...args, '--oauth2', started.url]);
    await this.fill(mail.imap_port, 'consenting', 71);
    await this.fill(mail.imap_port, 'delegated', 72);
    return { url: started.url, serviceAccount: started.service_account, clientId, clientSecret, imapPort: mail.imap_port };
  }

  /** A DNS server that knows one domain, whose old server is that of the laboratory. */
  private async dns(): Promise<string> {
    const zone = [
      'procura.test 300 MX 10 mx.procura.test.',
      `_imaps._tcp.procura.test 300 SRV 0 1 ${this.sourcePort} localhost.`,
    ];
    const { address } = await this.child('dns', ['serve-dns', '--zone', await this.file('zone', zone.join('\n'))]);
    return address;
  }

  private async fill(port: number, name: MailboxName, seed: number): Promise<void> {
    const { email, sourcePassword } = this.accounts[name];
    const { messages, largeMb } = MAILBOXES[name];
    const file = await this.file(`${name}.password`, sourcePassword);
    const args = ['fill', '--port', port, '--user', email, '--password-file', file, '--messages', messages];
    const large = largeMb > 0 ? ['--large-mb', largeMb] : [];
    await this.kit([...args, '--seed', seed, ...large]);
  }

  /** Mail comes to the inbox of a mailbox at the old server. */
  async deliver(name: MailboxName, messages: number, seed: number): Promise<void> {
    const file = await this.file(`${name}.password`, this.accounts[name].sourcePassword);
    const account = ['--port', this.fillPort, '--user', this.accounts[name].email, '--password-file', file];
    await this.kit(['fill', ...account, '--messages', messages, '--seed', seed, '--inbox-only']);
  }

  /** An Outlook file with something of everything, and a post, which some programs leave out. */
  async outlookFile(): Promise<string> {
    const path = join(this.dir, 'outlook.pst');
    await this.kit(['write-pst', path, '--post']);
    return path;
  }

  private async kit(args: (string | number)[]): Promise<void> {
    await run(join(bin, 'gatepost-testkit'), args.map(String));
  }

  /** imapsync, or what stands in for it: it copies by IMAP and prints imapsync's lines. */
  private async imapsync(): Promise<string> {
    const real = process.env.GATEPOST_REAL_IMAPSYNC;
    if (real) return real;
    const path = join(this.dir, 'imapsync');
    await copyFile(resolve(import.meta.dirname, '../server/tests/tools/imapsync.py'), path);
    await chmod(path, 0o755);
    return path;
  }

  private async desk(authorities: string, dovecot: string): Promise<void> {
    // The pace of a real host: both servers are one host here.
    const pace = await this.file('gatepost.toml', '[[host]]\nname = "localhost"\nmessages_per_second = 40\n');
    const env = {
      PATH: process.env.PATH,
      HOME: this.dir,
      MIGRATION_DATA_PATH: join(this.dir, 'data'),
      GATEPOST_CA_FILE: authorities,
      GATEPOST_CONFIG: pace,
      GATEPOST_SITE_ROOT: site,
      GATEPOST_IMPORT_PATH: this.importPath,
      GATEPOST_LISTEN: '127.0.0.1:0',
      GATEPOST_DNS_RESOLVERS: await this.dns(),
      // doveadm works for the server that the settings name, and for no other.
      MIGRATION_DEST_IMAP_HOST: 'localhost',
      MIGRATION_DEST_IMAP_PORT: String(this.destPort),
      MIGRATION_DOVEADM_CONFIG: dovecot,
      MIGRATION_IMAPSYNC_BIN: await this.imapsync(),
      // The provider of OAuth 2 is on this machine.
      MIGRATION_ALLOWED_HOSTS: '127.0.0.1',
      // Whatever the hour, nothing starts by itself.
      GATEPOST_DELTA_SCHEDULE: 'off',
      // However little of the disk is free.
      GATEPOST_UPLOAD_RESERVE_MB: '16',
      GATEPOST_LOG: 'warn',
    };
    for (const person of Object.values(this.people)) {
      const file = await this.file(`${person.role}.password`, person.password);
      const args = ['admin', 'user', 'add', '--email', person.email, '--name', person.name, '--role', person.role];
      await run(join(bin, 'gatepost'), [...args, '--password-file', file], { env, cwd: this.dir });
    }
    const child = spawn(join(bin, 'gatepost'), ['serve'], { env, cwd: this.dir, stdio: ['ignore', 'pipe', 'pipe'] });
    this.children.push(child);
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (this.log += text));
    const until = Date.now() + START_MS;
    // It takes a port of its own and says which.
    const told = () => (this.url = /listens on (http:\/\/127\.0\.0\.1:\d+)/.exec(this.log)?.[1] ?? '');
    while (!told() || !(await answers(`${this.url}/readyz`))) {
      if (child.exitCode !== null || Date.now() > until) throw new Error(`the Desk did not start:\n${this.log}`);
      await new Promise((next) => setTimeout(next, 50));
    }
  }

  /** What the server has written since this was asked last. */
  takeLog(): string {
    const log = this.log;
    this.log = '';
    return log;
  }

  /** A request to the REST interface by somebody with a role, or with a bearer token. */
  async rest(as: Role | { bearer: string } | null, method: string, path: string, body?: unknown): Promise<Answer> {
    const headers: Record<string, string> = {};
    if (as !== null) headers.authorization = `Bearer ${typeof as === 'string' ? await this.bearer(as) : as.bearer}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const answer = await fetch(`${this.url}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
  }

  /** The same for a request that must succeed. */
  async must(as: Role, method: string, path: string, body?: unknown): Promise<any> {
    const answer = await this.rest(as, method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  private async bearer(role: Role): Promise<string> {
    const known = this.bearers.get(role);
    if (known && Date.now() < known.until) return known.token;
    const { email, password } = this.people[role];
    const { status, body } = await this.rest(null, 'POST', '/auth/token', { email, password });
    if (status !== 200) throw new Error(`no token for ${email}: ${status} ${JSON.stringify(body)}`);
    // A slow machine may need all tests longer than a token lasts.
    this.bearers.set(role, { token: body.access_token, until: Date.now() + body.expires_in * 500 });
    return body.access_token;
  }

  /** The body that adds a mailbox of the laboratory to a job. */
  mailbox(name: MailboxName): Record<string, unknown> {
    const { email, sourcePassword, destPassword } = this.accounts[name];
    return {
      email,
      source_type: 'imap',
      source_host: 'localhost',
      source_port: this.sourcePort,
      source_security: 'tls',
      source_secret: { password: sourcePassword },
      dest_secret: { password: destPassword },
    };
  }

  /** The same for one that is opened by OAuth 2. */
  async oauthMailbox(name: MailboxName): Promise<Record<string, unknown>> {
    const { source_secret: _, ...mailbox } = this.mailbox(name);
    const port = (await this.provider()).imapPort;
    return { ...mailbox, source_type: 'imap_oauth', source_host: '127.0.0.1', source_port: port, source_security: 'plain' };
  }

  /** Starts runs and waits for their ends; answers their states. */
  async runToEnd(path: string, body: unknown = {}): Promise<string[]> {
    const { run_ids } = await this.must('technician', 'POST', path, body);
    const states: string[] = [];
    for (const id of run_ids) {
      const until = Date.now() + START_MS;
      for (;;) {
        const { run } = await this.must('technician', 'GET', `/migration/runs/${id}`);
        if (ENDED.includes(run.status)) {
          states.push(run.status);
          break;
        }
        if (Date.now() > until) throw new Error(`run ${id} did not end: ${JSON.stringify(run)}`);
        await new Promise((next) => setTimeout(next, 50));
      }
    }
    return states;
  }

  /** Waits until nothing of a job is at work or waits for its turn. */
  async idle(job: number): Promise<void> {
    const until = Date.now() + START_MS;
    for (;;) {
      const { items } = await this.must('technician', 'GET', `/migration/jobs/${job}/runs?per_page=200`);
      const open = items.filter((run: any) => !ENDED.includes(run.status));
      if (open.length === 0) return;
      if (Date.now() > until) throw new Error(`runs did not end: ${JSON.stringify(open)}`);
      await new Promise((next) => setTimeout(next, 50));
    }
  }

  /** Holds a job back: its runs wait for their turn until what is answered is called. */
  async pause(job: number): Promise<() => Promise<void>> {
    const { id } = await this.must('technician', 'POST', '/migration/pauses', { scope: 'job', job_id: job });
    return () => this.must('technician', 'DELETE', `/migration/pauses/${id}`);
  }

  /** Ends what was started, the Desk first, and removes its files. */
  async stop(): Promise<void> {
    for (const child of this.children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
    }
    this.line?.close();
    await rm(this.dir, REMOVAL);
  }
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    (answer) => answer.ok,
    () => false,
  );
}
