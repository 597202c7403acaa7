// What the Desk refuses, and the headers that tell the browser to refuse more.

import { alive, expect, logOut, makeJob, pages, test } from '../desk.ts';

test('every page carries a policy that lets no foreign script run and nobody frame it', async ({ desk, moved }) => {
  desk.expectTrouble(/^404 \/jobs\/999999$/);
  const nonces = new Set<string>();
  for await (const { name, path, page } of desk.tour(moved)) {
    const answer = await page.goto(path);
    const headers = answer!.headers();
    const policy = headers['content-security-policy'] ?? '';
    const scripts = /script-src ([^;]*)/.exec(policy)?.[1] ?? '';
    expect.soft(scripts, name).toMatch(/'nonce-[^']{16,}'/);
    expect.soft(policy, name).not.toMatch(/unsafe-inline|unsafe-eval(?<!wasm-unsafe-eval)|https?:|\*/);
    expect.soft(policy, name).toContain("default-src 'none'");
    expect.soft(policy, name).toContain("frame-ancestors 'none'");
    expect.soft(policy, name).toContain("base-uri 'none'");
    expect.soft(headers['x-content-type-options'], name).toBe('nosniff');
    expect.soft(headers['x-frame-options'], name).toBe('DENY');
    expect.soft(headers['referrer-policy'], name).toBe('same-origin');
    expect.soft(headers['cache-control'], name).toContain('no-store');
    nonces.add(scripts);
    // Whatever a policy that is too strict would refuse has been asked for by then.
    await alive(page);
  }
  expect(nonces.size, 'no nonce is used twice').toBe(pages(moved).length);
});

test('a script that got into a page would not run', async ({ desk }) => {
  desk.expectTrouble(/Content Security Policy/);
  const page = await desk.as('technician');
  await page.goto('/tickets');
  await page.evaluate(() => {
    const script = document.createElement('div');
    script.innerHTML = '<img src="/favicon.svg" onload="window.hacked = true">';
    document.body.append(script);
  });
  const loaded = () => page.locator('div > img').evaluate((image) => (image as HTMLImageElement).naturalWidth);
  await expect.poll(loaded).toBeGreaterThan(0);
  expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
});

test('the session cookie cannot be read by scripts nor sent from other sites', async ({ desk }) => {
  const page = await desk.as('technician');
  const cookie = (await page.context().cookies()).find((one) => one.name === 'gatepost');
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' });
  await page.goto('/');
  expect(await page.evaluate(() => document.cookie)).not.toContain('gatepost=');
});

test('a new log-in gets a new session, and a log-out ends it for good', async ({ desk }) => {
  const page = await desk.stranger();
  const { email, password } = desk.lab.people.technician;
  const session = async () => (await page.context().cookies()).find((one) => one.name === 'gatepost')?.value;
  await page.goto('/login');
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  const planted = await session();
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible();
  const cookies = await page.context().cookies();
  expect(await session()).not.toBe(planted);
  await logOut(page);
  await page.context().addCookies(cookies);
  await page.goto('/jobs');
  expect(new URL(page.url()).pathname).toBe('/login');
});

test('pages need a log-in, which leads back to where one wanted to be', async ({ desk, moved }) => {
  const page = await desk.stranger();
  for (const { path } of pages(moved)) {
    await page.goto(path);
    expect(new URL(page.url()).pathname, path).toBe('/login');
  }
  await page.goto(`/jobs/${moved.job}?page=1`);
  const { email, password } = desk.lab.people.technician;
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('heading', { name: 'padaria.test', level: 1 })).toBeVisible();
});

test('a log-in leads to no other site', async ({ desk }) => {
  const { email, password } = desk.lab.people.technician;
  for (const next of ['https://evil.example/', '//evil.example/', '/\\evil.example']) {
    const page = await desk.stranger();
    await page.goto(`/login?next=${encodeURIComponent(next)}`);
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible();
    expect(new URL(page.url()).origin).toBe(desk.lab.url);
    await page.context().close();
  }
});

test('a technician is refused what is for others', async ({ desk, moved }) => {
  desk.expectTrouble(/^403 /);
  const page = await desk.as('technician');
  for (const path of ['/audit', '/users', '/tokens', `/jobs/${moved.job}/approve`]) {
    const answer = await page.goto(path);
    expect.soft(answer?.status(), path).toBe(403);
    await expect.soft(page.getByRole('heading', { level: 1 }), path).toHaveText('Not allowed');
  }
  const menu = page.getByRole('navigation', { name: 'Main' });
  for (const name of ['Audit log', 'Users', 'Service tokens']) {
    await expect(menu.getByRole('link', { name })).toHaveCount(0);
  }
});

test('the forms of others refuse a technician too', async ({ desk, moved }) => {
  const page = await desk.as('technician');
  const forms: [string, Record<string, string>][] = [
    ['create_user', { email: 'x@desk.test', name: 'X', role: 'super_admin', password: 'long enough, really' }],
    ['create_token', { name: 'x', scope_gate_read: 'true' }],
    ['approve_gate', { job_id: String(moved.job), note: 'x' }],
    ['approve_gate', { job_id: String(moved.job), override_checks: 'true', reason: 'because I can do it' }],
  ];
  for (const [name, form] of forms) {
    const headers = { origin: desk.lab.url, accept: 'application/json' };
    const answer = await page.request.post(`/api/fn/${name}`, { form, headers, maxRedirects: 0 });
    expect.soft(answer.status(), name).toBe(403);
  }
  const users = await desk.lab.must('super_admin', 'GET', '/users');
  expect(users.items.map((user: any) => user.email)).not.toContain('x@desk.test');
});

test('a form of another site is refused and changes nothing', async ({ desk }) => {
  const page = await desk.as('technician');
  for (const headers of [
    { 'sec-fetch-site': 'cross-site', origin: desk.lab.url },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { referer: 'https://evil.example/form' },
  ]) {
    const form = { name: 'Planted by another site' };
    const answer = await page.request.post('/api/fn/create_tenant', { form, headers, maxRedirects: 0 });
    expect.soft(answer.status(), JSON.stringify(headers)).toBe(403);
    const rest = await page.request.post('/api/v1/tenants', { data: form, headers });
    expect.soft(rest.status(), JSON.stringify(headers)).toBe(403);
  }
  await page.goto('/tenants');
  await expect(page.getByRole('main')).not.toContainText('Planted by another site');
});

test('stored passwords are on no page', async ({ desk, moved }) => {
  const page = await desk.as('super_admin');
  const secrets = Object.values(desk.lab.accounts).flatMap((one) => [one.sourcePassword, one.destPassword]);
  for (const path of [`/mailboxes/${moved.mailbox}`, `/jobs/${moved.job}`, `/runs/${moved.run}`, '/audit']) {
    const text = await (await page.request.get(path)).text();
    for (const secret of secrets) expect(text.includes(secret), path).toBe(false);
  }
});

test('tricks in addresses lead nowhere', async ({ desk }) => {
  const page = await desk.as('technician');
  for (const path of [
    '/jobs/1%27%20OR%201=1',
    '/jobs/..%2f..%2fetc%2fpasswd',
    '/jobs/99999999999999999999',
    '/jobs/-1',
    '/runs/%00',
    '/mailboxes/%3Cscript%3E',
    '/pkg/..%2f..%2f..%2fetc%2fpasswd',
    '/no/such/page',
  ]) {
    const answer = await page.request.get(path);
    expect.soft([400, 404], path).toContain(answer.status());
    expect.soft(await answer.text(), path).not.toContain('root:');
  }
});

test('an unknown or malformed domain at the gate gets no opening', async ({ desk }) => {
  await makeJob(desk.lab, 'gate-shut.test', []);
  const ask = (domain: string) =>
    desk.lab.rest('technician', 'GET', `/migration/gate?domain=${encodeURIComponent(domain)}`);
  expect(await ask('unknown.test')).toMatchObject({ status: 200, body: { gate: 'blocked', dns_allowed: false } });
  expect(await ask('gate-shut.test')).toMatchObject({ status: 200, body: { gate: 'blocked', dns_allowed: false } });
  for (const domain of ['', '../x', "x'; DROP TABLE x;--", '<b>.test', 'a'.repeat(300)]) {
    expect.soft((await ask(domain)).status, domain).toBe(422);
  }
  expect((await desk.lab.rest(null, 'GET', '/migration/gate?domain=unknown.test')).status).toBe(401);
  expect((await desk.lab.rest({ bearer: 'forged' }, 'GET', '/migration/gate?domain=unknown.test')).status).toBe(401);
});
