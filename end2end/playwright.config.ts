import { defineConfig } from '@playwright/test';
import { resolve } from 'node:path';

const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, '../target');
const screenshots = process.env.GATEPOST_SCREENSHOTS;

export default defineConfig({
  testDir: 'tests',
  outputDir: resolve(target, 'end2end'),
  // Each worker starts a laboratory of its own: two mail servers and a Desk.
  workers: 1,
  retries: 0,
  forbidOnly: true,
  // Long, for a busy machine: a test that goes well does not wait.
  timeout: 300_000,
  expect: { timeout: 60_000 },
  reporter: 'list',
  // Pictures are taken on demand: GATEPOST_SCREENSHOTS=DIRECTORY npm run screenshots
  grepInvert: screenshots ? undefined : /@screenshots/,
  use: {
    browserName: 'chromium',
    locale: 'en-GB',
    timezoneId: 'UTC',
    viewport: { width: 1280, height: 900 },
    actionTimeout: 60_000,
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
