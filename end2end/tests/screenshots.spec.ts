// Pictures of every page for human eyes, in both themes and languages, wide and narrow. Run on demand:
// GATEPOST_SCREENSHOTS=DIRECTORY npm run screenshots

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { alive, expect, pages, test } from '../desk.ts';

const directory = process.env.GATEPOST_SCREENSHOTS ?? '';
const WIDTHS = { wide: 1280, narrow: 390 };

for (const language of ['en', 'pt-BR']) {
  for (const theme of ['light', 'dark']) {
    test(`every page can be pictured in ${language}, ${theme} @screenshots`, async ({ desk, moved }) => {
      test.setTimeout(600_000);
      desk.expectTrouble(/^404 \/jobs\/999999/);
      await mkdir(directory, { recursive: true });
      const cookies = [
        { name: 'gatepost_theme', value: theme, url: desk.lab.url },
        { name: 'gatepost_lang', value: language, url: desk.lab.url },
      ];
      for (const [width, pixels] of Object.entries(WIDTHS)) {
        const viewport = { width: pixels, height: 900 };
        for (const { name, path, role } of pages(moved)) {
          const page = role === null ? await desk.stranger({ viewport }) : await desk.as(role, { viewport });
          await page.context().addCookies(cookies);
          await page.goto(path);
          await alive(page);
          await expect(page.locator('h1')).toBeVisible();
          const file = (part: string) => join(directory, `${name}${part}.${width}.${theme}.${language}.png`);
          await page.screenshot({ path: file(''), fullPage: true });
          const dialog = page.locator('dialog');
          if (name === 'job' && (await dialog.count()) > 0) {
            await page.locator('.gate-panel .actions a').first().click();
            await expect(dialog).toBeVisible();
            await page.screenshot({ path: file('-dialog') });
          }
          await page.context().close();
        }
      }
    });
  }
}
