import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, visit, type Visitor } from '../support/browser.js';
import { finishedAnswer, say, share, tell } from '../support/chat-page.js';
import { tokenFor } from '../support/client.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { ROOT } from '../support/pages.js';
import { hasChromium } from '../support/requirements.js';
import { startServer, type TestServer } from '../support/server.js';

const MARKDOWN =
  'Text with [a link](https://host.invalid) and `code`.\n\n```js\nx\n```\n\n> quote\n\n| a |\n|---|\n| b |';
const THEMES = ['light', 'dark'] as const;

interface AxeResult {
  id: string;
  impact: string;
  nodes: { html: string; failureSummary: string }[];
}

describe.skipIf(!hasChromium())('the pages for everybody', () => {
  let browser: Browser;
  let llm: LlmServer;
  let server: TestServer;
  let axe: string;
  const visitors: Visitor[] = [];

  beforeAll(async () => {
    axe = await readFile(join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8');
    llm = await startLlmServer();
    const env = { LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'echo', RATE_LIMIT_ENABLED: 'false' };
    server = await startServer({ env });
    browser = await launchBrowser();
  });

  afterEach(async () => {
    await Promise.all(visitors.splice(0).map(({ context }) => context.close()));
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await llm?.close();
  });

  async function open(options: object = {}, path = '/'): Promise<Page> {
    const visitor = await visit(browser, server.url + path, { reducedMotion: 'reduce', ...options });
    visitors.push(visitor);
    if (path === '/') await visitor.page.waitForSelector('.suggestion');
    return visitor.page;
  }

  /** What axe-core finds that is serious or critical. */
  async function seriousFaults(page: Page): Promise<string[]> {
    await page.evaluate(axe);
    const found = await page.evaluate<AxeResult[]>('axe.run().then(({ violations }) => violations)');
    return found
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
      );
  }

  it.each(THEMES)('have no serious fault in the chat, in the %s theme', async (colorScheme) => {
    const page = await open({ colorScheme });
    expect(await seriousFaults(page)).toEqual([]);
    await say(page, MARKDOWN);
    await finishedAnswer(page);
    await tell(page, '```\ncode\n```\nand https://host.invalid');
    await page.locator('.said').nth(1).waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    await page.click('#people-button');
    expect(await seriousFaults(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await share(page);
    await page.click('#share-button');
    expect(await seriousFaults(page)).toEqual([]);
  });

  it.each(THEMES)('have no serious fault on the dashboard, in the %s theme', async (colorScheme) => {
    const page = await open({ colorScheme }, '/dashboard');
    expect(await seriousFaults(page)).toEqual([]);
    await page.fill('#token', await tokenFor('root', { roles: ['admin'] }));
    await page.press('#token', 'Enter');
    await page.waitForSelector('#link-state[data-phase=connected]');
    for (const level of ['good', 'warn', 'bad']) {
      await page.evaluate(`for (const element of document.querySelectorAll('#verdict, .tile'))
        element.dataset.level = '${level}'`);
      expect(await seriousFaults(page)).toEqual([]);
    }
  });

  it.each([
    ['a phone of 320 pixels', { width: 320, height: 568 }],
    ['a phone on its side', { width: 568, height: 320 }],
    ['a larger phone on its side', { width: 740, height: 360 }],
  ])('fit on %s', async (_what, viewport) => {
    const page = await open({ viewport, isMobile: true, hasTouch: true });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(viewport.width);
    for (const id of ['people-button', 'share-button', 'new-button', 'theme-button']) {
      const box = await page.locator(`#${id}`).boundingBox();
      expect((box?.x ?? 999) + (box?.width ?? 999), id).toBeLessThanOrEqual(viewport.width);
    }
    const [title, bar, form] = await Promise.all(
      ['.empty h2', '.bar', '#composer'].map((selector) => page.locator(selector).boundingBox()),
    );
    expect(title?.y).toBeGreaterThanOrEqual((bar?.y ?? 0) + (bar?.height ?? 999));
    const first = await page.locator('.suggestion').first().boundingBox();
    expect((first?.y ?? 999) + (first?.height ?? 999)).toBeLessThanOrEqual(form?.y ?? 0);
  });

  it('write from right to left what is written so, block by block', async () => {
    const page = await open();
    await page.fill('#composer-input', 'שלום');
    const directionOf = (selector: string) =>
      page.evaluate<string>(`getComputedStyle(document.querySelector('${selector}')).direction`);
    expect(await directionOf('#composer-input')).toBe('rtl');
    await say(page, 'مرحبا `npm start`\n\n- بند\n\n```\ncode\n```\n\n> اقتباس\n\nEnglish');
    await finishedAnswer(page);
    expect(await directionOf('.said .plain')).toBe('rtl');
    const blocks = ['p', 'ul', 'blockquote'].map((tag) => directionOf(`.prose .block > ${tag}`));
    expect(await Promise.all(blocks)).toEqual(['rtl', 'rtl', 'rtl']);
    expect(await directionOf('.prose .block:last-child > p')).toBe('ltr');
    expect(await directionOf('.prose pre')).toBe('ltr');
    expect(await directionOf('.prose p code')).toBe('ltr');
  });

  it('show formulas as they were written', async () => {
    const page = await open();
    const formulas = [
      String.raw`so \(a_1 * b * c_2\) holds`,
      String.raw`\[ x \{y\} \\ z \]`,
      String.raw`$$\frac{a}{b} \, c$$`,
      String.raw`and $x*y*z$ costs $5 or $6`,
    ];
    await say(page, `${formulas.join('\n\n')}\n\n\\[\na\n- b\n= c\n\\]\n\n1\\) not \\*emphasised\\*`);
    await finishedAnswer(page);
    const blocks = await page.locator('.prose .block').allTextContents();
    expect(blocks.map((text) => text.trim())).toEqual([
      ...formulas,
      '\\[\na\n- b\n= c\n\\]',
      '1) not *emphasised*',
    ]);
    expect(await page.locator('.prose :is(em, ul, h1, h2)').count()).toBe(0);
  });
});
