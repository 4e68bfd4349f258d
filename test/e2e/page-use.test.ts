import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, visit, type Visitor } from '../support/browser.js';
import {
  allSent,
  finishedAnswer,
  partialAnswer,
  expectSaid,
  say,
  share,
  tell,
} from '../support/chat-page.js';
import { TestClient } from '../support/client.js';
import { hasChromium } from '../support/requirements.js';
import { startServer, type TestServer } from '../support/server.js';

const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true };

describe.skipIf(!hasChromium())('using the chat page', () => {
  let browser: Browser;
  let server: TestServer;
  const visitors: Visitor[] = [];

  beforeAll(async () => {
    server = await startServer({ env: { GUIDE_WORDS_PER_SECOND: '40' } });
    browser = await launchBrowser();
  });

  afterEach(async () => {
    await Promise.all(visitors.splice(0).map(({ context }) => context.close()));
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  async function open(options: BrowserContextOptions = {}, url = server.url): Promise<Page> {
    const visitor = await visit(browser, url, options);
    visitors.push(visitor);
    await visitor.page.waitForSelector('#link-state[data-phase=connected]');
    return visitor.page;
  }

  it('signs a guest by a letter or digit, whatever the random id begins with', async () => {
    const page = await open();
    const signs = await page.evaluate(`import('/app/people.js').then(({ initialOf, nameOf }) =>
      ['guest:-_7fGh', 'guest:--', 'guest:abcd'].map((id) => [nameOf(id), initialOf(nameOf(id))]))`);
    expect(signs).toEqual([
      ['Guest 7fGh', '7'],
      ['Guest', 'G'],
      ['Guest abcd', 'A'],
    ]);
  });

  it('needs no sideways scrolling on a phone, whatever is written', async () => {
    const page = await open(PHONE);
    await say(page, 'How do I use my own PostgreSQL?');
    await finishedAnswer(page);
    await tell(page, 'x'.repeat(400));
    await tell(page, `\`\`\`\n${'y'.repeat(400)}\n\`\`\``);
    await page.locator('.said').nth(2).waitFor();
    await page.click('#share-button');
    await page.click('#share-start');
    await page.waitForSelector('#share-copy', { state: 'visible' });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    const column = 'document.getElementById("scroller")';
    expect(await page.evaluate(`${column}.scrollWidth <= ${column}.clientWidth`)).toBe(true);
    const sheet = await page.locator('#share-dialog').boundingBox();
    expect(sheet?.x).toBeGreaterThanOrEqual(0);
    expect((sheet?.x ?? 0) + (sheet?.width ?? 999)).toBeLessThanOrEqual(360);
  });

  it('can be used by the keyboard alone', async () => {
    const page = await open();
    await page.waitForSelector('.suggestion');
    await page.keyboard.type('one');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('two');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.said');
    await expectSaid(page, ['one\ntwo']);
    await partialAnswer(page, 5);
    await page.keyboard.press('Escape');
    await page.getByText('Stopped', { exact: true }).waitFor();
  });

  it('does not send the Enter that ends a composition', async () => {
    const page = await open();
    await page.fill('#composer-input', 'にほんご');
    await page.dispatchEvent('#composer-input', 'keydown', { key: 'Enter', isComposing: true });
    expect(await page.inputValue('#composer-input')).toBe('にほんご');
    expect(await page.locator('.said').count()).toBe(0);
  });

  it('announces the whole answer to a screen reader, not each word', async () => {
    const page = await open();
    await page.evaluate(`
      globalThis.announced = [];
      new MutationObserver(() => announced.push(document.getElementById('announcer').textContent))
        .observe(document.getElementById('announcer'), { childList: true });
    `);
    await say(page, 'How do I use my own PostgreSQL?');
    const text = await finishedAnswer(page);
    const announced = await page.evaluate<string[]>('announced');
    expect(announced).toHaveLength(2);
    expect(announced[0]).toBe('The assistant is answering.');
    expect(announced[1]).toContain('DATABASE_URL');
    expect(text).toContain('DATABASE_URL');
  });

  it('loads earlier messages when scrolling up, and keeps the place', async () => {
    const page = await open();
    const link = await share(page);
    const writer = await TestClient.connect(server.url, 'writer', { name: 'Writer' });
    const conversationId = new URL(link).hash.slice(1);
    await writer.ask('conversation:join', { conversationId });
    for (let n = 1; n <= 120; n += 1) {
      const message = { conversationId, clientMessageId: `m${n}`, content: `Message ${n}`, respond: false };
      await writer.ask('message:send', message);
    }
    writer.close();
    await page.reload();
    await page.getByText('Message 120', { exact: true }).waitFor();
    expect(await page.locator('.said').count()).toBe(50);
    await page.hover('#scroller');
    await page.mouse.wheel(0, -100_000);
    await page.getByText('Message 21', { exact: true }).waitFor();
    expect(await isInView(page, 'Message 71')).toBe(true);
    await page.getByText('Message 21', { exact: true }).scrollIntoViewIfNeeded();
    await page.getByText('Message 1', { exact: true }).waitFor();
    await expectSaid(
      page,
      Array.from({ length: 120 }, (_, n) => `Message ${n + 1}`),
    );
    await page.click('#jump');
    expect(await isInView(page, 'Message 120')).toBe(true);
  });

  it('does not move the page under a reader while an answer grows', async () => {
    const page = await open();
    for (let n = 0; n < 3; n += 1) await tell(page, 'line\n'.repeat(30) + n);
    await allSent(page);
    await page.check('#ask', { force: true });
    await say(page, 'How do I use my own PostgreSQL?');
    const early = await partialAnswer(page, 10);
    await page.hover('#scroller');
    await page.mouse.wheel(0, -400);
    await page.waitForSelector('#jump:visible');
    const before = await page.evaluate('document.getElementById("scroller").scrollTop');
    await partialAnswer(page, early.length + 60);
    expect(await page.evaluate('document.getElementById("scroller").scrollTop')).toBe(before);
  });

  it('keeps the theme that was chosen', async () => {
    const page = await open({ colorScheme: 'light' });
    await page.click('#theme-button');
    const scheme = 'getComputedStyle(document.documentElement).colorScheme';
    expect(await page.evaluate(scheme)).toBe('dark');
    await page.reload();
    expect(await page.evaluate(scheme)).toBe('dark');
  });

  it('refuses to send more than a message may have', async () => {
    const page = await open();
    await page.fill('#composer-input', 'x'.repeat(16_001));
    await page.getByText('1 characters too long').waitFor();
    expect(await page.isDisabled('#send')).toBe(true);
  });
});

describe('the files of the pages', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startServer();
  });

  afterAll(() => server?.stop());

  it('are served with their types, validators and a policy that allows nothing inline', async () => {
    const page = await fetch(server.url);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.headers.get('cache-control')).toBe('no-cache');
    const etag = page.headers.get('etag') as string;
    expect(
      (await fetch(server.url, { headers: { 'If-None-Match': etag, 'Cache-Control': 'max-age=0' } })).status,
    ).toBe(304);
    const markup = await page.text();
    expect(markup).not.toMatch(/ (?:style|on\w+)=/);
    for (const [, path = ''] of markup.matchAll(/(?:src|href)="(\/[^"#]+)/g)) {
      const file = await fetch(server.url + path, { method: 'HEAD' });
      expect([path, file.status]).toEqual([path, 200]);
    }
    const vendor = await fetch(`${server.url}/vendor/dompurify/purify.es.mjs`);
    expect(vendor.headers.get('content-type')).toContain('text/javascript');
  });

  it.each(['/..%2fpackage.json', '/vendor/marked/..%2f..%2fpackage.json', '/app/', '/.env', '/vendor/'])(
    'do not include %s',
    async (path) => {
      expect((await fetch(server.url + path)).status).toBe(404);
    },
  );

  it('are for reading only', async () => {
    expect((await fetch(server.url, { method: 'POST' })).status).toBe(404);
  });
});

async function isInView(page: Page, text: string): Promise<boolean> {
  const box = await page.getByText(text, { exact: true }).boundingBox();
  return box !== null && box.y > 0 && box.y < 700;
}
