import type { Browser, Page, WebSocketRoute } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { launchBrowser, visit, type Visitor } from '../support/browser.js';
import {
  allSent,
  finishedAnswer,
  partialAnswer,
  rename,
  expectSaid,
  say,
  share,
  tell,
} from '../support/chat-page.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { wordsText } from '../support/llm-behaviour.js';
import { hasChromium } from '../support/requirements.js';
import { startServer, type TestServer } from '../support/server.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

const WHOLE = wordsText(60).trim();

describe.skipIf(!hasChromium())('the chat page on a bad network', () => {
  let browser: Browser;
  let llm: LlmServer;
  let server: TestServer;
  let proxy: TcpProxy;
  const visitors: Visitor[] = [];

  beforeAll(async () => {
    llm = await startLlmServer();
    server = await startServer({ env: { LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:60:40' } });
    proxy = await startTcpProxy(server.url);
    browser = await launchBrowser();
  });

  afterEach(async () => {
    proxy.mend();
    await Promise.all(visitors.splice(0).map(({ context }) => context.close()));
  });

  afterAll(async () => {
    await browser?.close();
    await proxy?.close();
    await server?.stop();
    await llm?.close();
  });

  async function open(url: string, prepare?: (page: Page) => Promise<void>): Promise<Page> {
    const visitor = await visit(browser, 'about:blank');
    visitors.push(visitor);
    await prepare?.(visitor.page);
    await visitor.page.goto(url);
    await visitor.page.waitForSelector('#link-state[data-phase=connected]');
    return visitor.page;
  }

  /** Loses what the server sends where `lost` says so. */
  function losing(lost: (frame: string) => boolean): (page: Page) => Promise<void> {
    const pass = (near: WebSocketRoute): void => {
      const far = near.connectToServer();
      far.onMessage((frame) => {
        if (!lost(String(frame))) near.send(frame);
      });
    };
    return (page) => page.routeWebSocket(/api\/ws\/chat/, pass);
  }

  it('keeps what is written while there is no connection and sends it once', async () => {
    const page = await open(proxy.url);
    await tell(page, 'Before');
    const link = new URL(await share(page));
    const other = await open(new URL(link.hash, server.url).href);
    await rename(other, 'Bo');
    proxy.cut();
    await page.waitForSelector('#link-state:not([data-phase=connected])');
    await tell(page, 'Meanwhile');
    await page.getByText('Waiting to be sent').waitFor();
    await page.locator('#banner').getByText('What you write is kept').waitFor();
    proxy.mend();
    await other.locator('.said').getByText('Meanwhile').waitFor();
    await page.waitForSelector('#link-state[data-phase=connected]');
    await page.waitForSelector('.entry.pending', { state: 'detached' });
    await expectSaid(page, ['Before', 'Meanwhile']);
    await expectSaid(other, ['Before', 'Meanwhile']);
  });

  it('sends after a reload what was not sent before it', async () => {
    const page = await open(proxy.url);
    await tell(page, 'Before');
    await page.waitForSelector('.said');
    proxy.cut();
    await page.waitForSelector('#link-state:not([data-phase=connected])');
    await tell(page, 'Kept over the reload');
    await page.getByText('Kept over the reload').waitFor();
    proxy.mend();
    await page.reload();
    await page.locator('.said').nth(1).waitFor();
    await allSent(page);
    await expectSaid(page, ['Before', 'Kept over the reload']);
  });

  it('sends once a message whose ack was lost', async () => {
    let losses = 0;
    // The ack of the first `message:send`: `43…` with the message in it.
    const lost = (frame: string): boolean => /^43\d*\[.*"duplicate":/.test(frame) && losses++ === 0;
    const page = await open(server.url, losing(lost));
    await tell(page, 'Only once');
    await allSent(page);
    expect(losses).toBe(2);
    await expectSaid(page, ['Only once']);
    await page.reload();
    await page.waitForSelector('.said');
    await expectSaid(page, ['Only once']);
  });

  it('goes on with an answer over a lost connection', async () => {
    const page = await open(proxy.url);
    await say(page, 'Go on');
    const before = await partialAnswer(page, 30);
    proxy.cut();
    await page.waitForSelector('#link-state:not([data-phase=connected])');
    proxy.mend();
    expect((await partialAnswer(page, before.length + 10)).startsWith(before)).toBe(true);
    expect(await finishedAnswer(page)).toBe(WHOLE);
  });

  it('looks for its connection when it is seen again, and replaces one that died in its sleep', async () => {
    const page = await open(proxy.url);
    await tell(page, 'Before');
    await allSent(page);
    const wake = (): Promise<unknown> =>
      page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
    let sockets = 0;
    page.on('websocket', () => (sockets += 1));
    await wake();
    await tell(page, 'Alive');
    await allSent(page);
    expect(sockets).toBe(0);
    proxy.freeze();
    await wake();
    // Long before the heartbeat could notice.
    await eventually(() => sockets === 1, 'a new connection');
    await tell(page, 'After');
    await allSent(page);
    await expectSaid(page, ['Before', 'Alive', 'After']);
  });

  it('fills the hole that lost chunks leave', async () => {
    const page = await open(
      server.url,
      losing((frame) => frame.includes('"stream:chunk"') && /"sequence":[35],/.test(frame)),
    );
    await say(page, 'Lose some');
    // Past the hole already while it is being written: not only by the message at the end.
    await partialAnswer(page, 150);
    expect(await finishedAnswer(page)).toBe(WHOLE);
  });

  it('fills the hole that a lost message leaves, in order', async () => {
    const page = await open(
      server.url,
      losing((frame) => frame.includes('"message:new"') && frame.includes('second')),
    );
    // Known by name when joining: a look at the members would fill the hole as well.
    const other = await open(server.url);
    await rename(other, 'Bo');
    await other.goto(await share(page));
    await page.locator('#people-avatars .avatar').nth(1).getByText('B').waitFor();
    for (const text of ['first', 'second', 'third']) {
      await tell(other, text);
      await other.locator('.said').getByText(text).waitFor();
    }
    await page.locator('.said').getByText('third').waitFor();
    await expectSaid(page, ['first', 'second', 'third']);
  });

  it('asks for the message of an answer that ended without one', async () => {
    const page = await open(
      server.url,
      losing((frame) => frame.includes('"message:new"')),
    );
    await say(page, 'Lose the message');
    expect(await finishedAnswer(page)).toBe(WHOLE);
    // The next message would leave a hole, had the answer's message not been asked for.
    await tell(page, 'After it');
    await allSent(page);
    await page.locator('.assistant + .own').getByText('After it').waitFor();
  });

  it('becomes a new guest by itself where the server does not know its token any more', async () => {
    const page = await open(server.url);
    const guest = "JSON.parse(localStorage.getItem('streamgate.guest'))";
    await page.evaluate(
      `localStorage.setItem('streamgate.guest', JSON.stringify({ ...${guest}, token: 'forged' }))`,
    );
    await page.reload();
    await page.waitForSelector('#link-state[data-phase=connected]');
    // The conversation was another guest's.
    await page.getByRole('button', { name: 'Start a new conversation' }).click();
    await page.waitForSelector('.suggestion');
    await tell(page, 'Here again');
    await allSent(page);
  });
});
