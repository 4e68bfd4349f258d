import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, visit, type Visitor } from '../support/browser.js';
import { finishedAnswer, expectSaid, rename, say, share, tell } from '../support/chat-page.js';
import { TestClient, tokenFor } from '../support/client.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { hasChromium } from '../support/requirements.js';
import { startServer, type TestServer } from '../support/server.js';
import { watchPage, type Watched } from '../support/watched-page.js';

/** Each would set `attacked`, or ask evil.example for something, where it is taken for more than text. */
const ATTACKS: Record<string, string> = {
  elements:
    '<script>attacked=1</script><img src=x onerror=attacked=1><svg onload=attacked=1><body onload=attacked=1>',
  handlers:
    '<details open ontoggle=attacked=1>a</details><input autofocus onfocus=attacked=1><video><source onerror=attacked=1>',
  loads:
    '<iframe srcdoc="<script>parent.attacked=1</script>"></iframe><object data="//evil.example"></object><link rel=stylesheet href="//evil.example/x.css"><base href="//evil.example/">',
  forms:
    '<form action="//evil.example"><button formaction="javascript:attacked=1">x</button></form><meta http-equiv=refresh content="0;url=//evil.example">',
  styles: '<p style="background:url(//evil.example/x)">a</p><style>@import "//evil.example/x.css"</style>',
  links:
    '[a](javascript:attacked=1) [b](JaVaScRiPt:attacked=1) [c](&#106;avascript:attacked=1) [d](java\tscript:attacked=1) [e](vbscript:x) [f](data:text/html,<script>attacked=1</script>) <javascript:attacked=1>',
  references: '[a][1]\n\n[1]: javascript:attacked=1 "x"\n\n![p][2]\n\n[2]: //evil.example/x.png',
  pictures:
    '![a](//evil.example/a.png) ![b](data:image/svg+xml,<svg/onload=attacked=1>) ![c"onerror="attacked=1](x)',
  titles:
    '[a](https://host.invalid "x\\" onmouseover=attacked=1 y") [b](https://host.invalid/"onclick="attacked=1)',
  mutation:
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=attacked=1&gt;">',
  noscript: '<noscript><p title="</noscript><img src=x onerror=attacked=1>">',
  template:
    '<template><img src=x onerror=attacked=1></template><svg><style><img src=x onerror=attacked=1></style></svg>',
  fences: '```<img src=x onerror=attacked=1>\n</code></pre><script>attacked=1</script>\n```',
  language: '```js"onmouseover="attacked=1\nx\n```\n\n```constructor\nx\n```',
  comments:
    '<!--><img src=x onerror=attacked=1>-->\n\n<![CDATA[<img src=x onerror=attacked=1>]]><?x <script>attacked=1</script>?>',
  entities: '&lt;img src=x onerror=attacked=1&gt; &#60;script&#62;attacked=1&#60;/script&#62;',
  clobbering:
    '<a id=scroller name=scroller><form id=composer><input name=attributes><img name=body id=announcer>',
  directions: '\u202egnp.exe\u2069 a\u200bb\u2060c \ufeff<img src=x onerror=attacked=1>',
};

const LIVE =
  '.thread :is(script, img, iframe, object, embed, style, link, base, meta, form, input, video, math, template, noscript)';

describe.skipIf(!hasChromium())('hostile texts on the chat page', () => {
  let browser: Browser;
  let llm: LlmServer;
  let server: TestServer;
  const visitors: (Visitor & { watched: Watched })[] = [];

  beforeAll(async () => {
    llm = await startLlmServer();
    const env = { LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'echo', RATE_LIMIT_ENABLED: 'false' };
    server = await startServer({ env });
    browser = await launchBrowser();
  });

  afterEach(async () => {
    const faults: string[] = [];
    for (const { page, watched } of visitors) faults.push(...(await watched.faults(page)));
    await Promise.all(visitors.splice(0).map(({ context }) => context.close()));
    if (faults.length > 0) throw new Error(`the page did more than it should:\n${faults.join('\n')}`);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await llm?.close();
  });

  async function open(path = '/'): Promise<Page> {
    const watched = watchPage(server.url);
    const visitor = await visit(browser, server.url + path, { prepare: watched.attach });
    visitors.push({ ...visitor, watched });
    return visitor.page;
  }

  async function openChat(path = '/'): Promise<Page> {
    const page = await open(path);
    await page.waitForSelector('#link-state[data-phase=connected]');
    return page;
  }

  /** No element of the thread is anything but what the page itself makes. */
  async function expectNothingLive(page: Page): Promise<void> {
    expect(await page.locator(LIVE).count()).toBe(0);
    const odd = await page.evaluate<string[]>(`
      [...document.querySelectorAll('.thread *')].flatMap((element) => [...element.attributes]
        .filter(({ name, value }) => /^(on|style$|srcdoc$|name$)/.test(name) ||
          (name === 'href' && !/^(https?:|mailto:|\\/icons.svg#)/.test(value)))
        .map(({ name, value }) => element.tagName + ' ' + name + '=' + value))`);
    expect(odd).toEqual([]);
  }

  it('run no script, load nothing and lead nowhere, from people and from the model (P11)', async () => {
    const page = await openChat();
    const texts = Object.values(ATTACKS);
    for (const [index, text] of texts.entries()) {
      await say(page, text);
      await finishedAnswer(page, index + 1);
      await expectNothingLive(page);
    }
    expect(await page.locator('.said').count()).toBe(texts.length);
    const answers = await page.locator('.assistant .prose').allTextContents();
    expect(answers.join('\n')).toContain('<script>attacked=1</script>');
    expect(answers.join('\n')).toContain('<img src=x onerror=attacked=1>');
    // The same once more from the log, all at once.
    await page.reload();
    await page
      .locator('.assistant')
      .nth(texts.length - 1)
      .waitFor();
    await expectNothingLive(page);
  });

  it('that are nested too deeply, or take too long to parse, are shown as plain text, live and after a reload (P7, P11)', async () => {
    const page = await openChat();
    const steps = Array.from({ length: 60 }, (_, depth) => `${'  '.repeat(depth)}- step`);
    const texts = [
      steps.join('\n'),
      ...['>'.repeat(8000), '1. '.repeat(4000), '[*a]('.repeat(3100), '_a_'.repeat(5300)],
      `${'*a **b '.repeat(30)}**done**`,
    ];
    for (const [index, text] of texts.entries()) {
      await say(page, text.trim());
      await finishedAnswer(page, index + 1);
    }
    await expectTexts();
    await page.reload();
    await page.locator('.assistant').last().waitFor();
    await expectTexts();

    async function expectTexts(): Promise<void> {
      const answers = page.locator('.assistant .prose');
      const plain = await answers.locator('> .plain').allTextContents();
      expect(plain).toEqual(texts.slice(0, -1).map((text) => text.trim()));
      expect(await answers.last().locator('strong').last().textContent()).toBe('done');
    }
  });

  it('are shown as they were typed (P11)', async () => {
    const page = await openChat();
    const texts = Object.values(ATTACKS).filter((text) => !text.includes('```'));
    for (const text of texts) await tell(page, text);
    await expectSaid(page, texts);
  });

  it('do no more as names, metadata and ids of others (P11)', async () => {
    const page = await openChat();
    const conversationId = new URL(await share(page)).hash.slice(1);
    for (const [index, attack] of Object.values(ATTACKS).entries()) {
      const userId = `${attack.replaceAll(/\s/g, ' ').slice(0, 200)}${index}`;
      const mallory = await TestClient.connect(server.url, userId, { name: attack });
      await mallory.ask('conversation:join', { conversationId });
      const message = { conversationId, clientMessageId: attack.replaceAll(/[^ -~]/g, '').slice(0, 100) };
      const metadata = { finish: attack, html: attack, '<img src=x onerror=attacked=1>': attack };
      await mallory.ask('message:send', { ...message, content: attack, metadata, respond: false });
      await mallory.ask('typing:start', { conversationId });
      await page.locator('.entry.person').nth(index).waitFor();
      mallory.close();
    }
    await page.click('#people-button');
    await page.waitForSelector('#people-dialog', { state: 'visible' });
    expect(await page.locator('#people-list').textContent()).toContain('<script>attacked=1</script>');
    expect(await page.locator('#people-list :is(script, img, iframe, style, form)').count()).toBe(0);
    await expectNothingLive(page);
  });

  it('do no more in the address, nor as an own name (P11)', async () => {
    const page = await openChat('/?a=<script>attacked=1</script>#"><img src=x onerror=attacked=1>');
    await rename(page, '<img src=x onerror=attacked=1>');
    await tell(page, 'Hello');
    await expectNothingLive(page);
  });
});

describe.skipIf(!hasChromium())('the policy of the pages', () => {
  let browser: Browser;
  let server: TestServer;

  beforeAll(async () => {
    server = await startServer();
    browser = await launchBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  it.each([
    ['/', '#link-state[data-phase=connected]'],
    ['/api/docs', '.opblock'],
    ['/dashboard', '#link-state[data-phase=connected]'],
  ])('lets %s do all that it does, and is never broken by it', async (path, isThere) => {
    const watched = watchPage(server.url);
    const { page, context } = await visit(browser, server.url + path, { prepare: watched.attach });
    if (path === '/dashboard') {
      await page.fill('#token', await tokenFor('root', { roles: ['admin'] }));
      await page.press('#token', 'Enter');
    }
    await page.locator(isThere).first().waitFor();
    if (path === '/api/docs') {
      await page.locator('.opblock-summary-control').first().click();
      await page.locator('.opblock-body').first().waitFor();
    }
    expect(await watched.faults(page)).toEqual([]);
    await context.close();
  });

  it('stops a script, a picture and a connection that got in all the same', async () => {
    const watched = watchPage(server.url);
    const { page, context } = await visit(browser, server.url, { prepare: watched.attach });
    await page.evaluate(`{
      const holder = document.createElement('div');
      holder.innerHTML = '<img src="data:image/gif;base64,x" onerror="attacked=1"><p style="color:red">a</p>';
      const script = document.createElement('script');
      script.textContent = 'attacked=1';
      document.body.append(holder, script);
      fetch('https://evil.example/').catch(() => {});
    }`);
    await page.waitForFunction('globalThis.violations.length >= 4');
    expect(await page.evaluate('globalThis.attacked')).toBeUndefined();
    expect((await watched.faults(page)).filter((fault) => fault.startsWith('asked'))).toEqual([]);
    await context.close();
  });
});
