// English and Brazilian Portuguese: which one is shown, that it is kept, and that nothing is left untranslated.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { alive, expect, type Page, test } from '../desk.ts';

type Texts = { [key: string]: string | Texts };

const texts = (language: string) =>
  JSON.parse(readFileSync(resolve(import.meta.dirname, `../../app/locales/${language}.json`), 'utf8')) as Texts;

/** All texts with their keys, such as `nav.jobs`. */
const flat = (tree: Texts, prefix = ''): [string, string][] =>
  Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'string' ? [[`${prefix}${key}`, value] as [string, string]] : flat(value, `${prefix}${key}.`),
  );

const english = new Map(flat(texts('en')));
const portuguese = new Map(flat(texts('pt-BR')));

/** English texts that are whole sentences, so that seeing one on a Portuguese page is no coincidence. */
const sentences = [...english].filter(
  ([key, text]) => text.split(' ').length >= 3 && !text.includes('{{') && portuguese.get(key) !== text,
);

test('a browser that prefers Portuguese gets it, any other one English', async ({ desk }) => {
  for (const [locale, language, heading] of [
    ['pt-BR', 'pt-BR', portuguese.get('login.title')],
    ['pt-PT', 'pt-BR', portuguese.get('login.title')],
    ['en-US', 'en', english.get('login.title')],
    ['ja-JP', 'en', english.get('login.title')],
  ]) {
    const page = await desk.stranger({ locale });
    await page.goto('/login');
    await expect(page.locator('html')).toHaveAttribute('lang', language!);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(heading!);
  }
});

for (const javaScriptEnabled of [true, false]) {
  test(`a choice of language is kept and stays on the page, JavaScript ${javaScriptEnabled ? 'on' : 'off'}`, async ({
    desk,
  }) => {
    const page = await desk.as('technician', { javaScriptEnabled });
    await page.goto('/jobs?phase=failed');
    await page.getByRole('button', { name: 'Português' }).click();
    await expect(page.locator('html')).toHaveAttribute('lang', 'pt-BR');
    expect(page.url()).toBe(`${desk.lab.url}/jobs?phase=failed`);
    await page.goto('/tickets');
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(portuguese.get('nav.tickets')!);
    await expect(page.getByRole('button', { name: 'Português' })).toHaveAttribute('aria-pressed', 'true');
    await page.getByRole('button', { name: 'English' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(english.get('nav.tickets')!);
  });

  test(`a choice of theme is kept, JavaScript ${javaScriptEnabled ? 'on' : 'off'}`, async ({ desk }) => {
    const page = await desk.as('technician', { javaScriptEnabled });
    await page.goto('/tickets');
    if (javaScriptEnabled) await alive(page);
    await page.getByRole('button', { name: 'Dark' }).click();
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
    await expect(page.getByRole('button', { name: 'Dark' })).toHaveAttribute('aria-pressed', 'true');
    await page.goto('/jobs');
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  });
}

test('no page shows a key instead of a text, nor English in Portuguese', async ({ desk, moved }) => {
  test.setTimeout(1_200_000);
  desk.expectTrouble(/^404 \/jobs\/999999$/);
  for (const language of ['en', 'pt-BR']) {
    for await (const { name, path, page } of desk.tour(moved)) {
      await page.context().addCookies([{ name: 'gatepost_lang', value: language, url: desk.lab.url }]);
      await page.goto(path);
      await expect(page.locator('html')).toHaveAttribute('lang', language);
      await alive(page);
      const shown = await everyText(page);
      const keys = [...english.keys()].filter((key) => shown.includes(key));
      expect.soft(keys, `${name} in ${language} shows keys`).toEqual([]);
      // What another spec typed into a form is no text of ours, braces or not.
      const gaps = shown.filter((text) => text.includes('{{') && !text.includes('DROP TABLE'));
      expect.soft(gaps, `${name} in ${language} shows a gap`).toEqual([]);
      if (language === 'pt-BR') {
        const foreign = sentences.filter(([, sentence]) => shown.includes(sentence));
        expect.soft(foreign, `${name} shows English`).toEqual([]);
      }
    }
  }
});

/** What is written on a page, and what a screen reader is told; names for programs stand in `code` and `pre`. */
const everyText = (page: Page) =>
  page.evaluate(() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found: string[] = [document.title];
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (!node.parentElement?.closest('code, pre')) found.push(node.nodeValue?.trim() ?? '');
    }
    for (const element of document.querySelectorAll('[aria-label], [title], [placeholder]')) {
      for (const name of ['aria-label', 'title', 'placeholder']) found.push(element.getAttribute(name) ?? '');
    }
    return found.filter((text) => text !== '');
  });
