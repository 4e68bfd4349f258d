import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, visit, type Visitor } from '../support/browser.js';
import { allSent, expectSaid, finishedAnswer, say, tell } from '../support/chat-page.js';
import { tokenFor } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startHalfProxy, type HalfProxy } from '../support/half-proxy.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { wordsText } from '../support/llm-behaviour.js';
import { hasChromium } from '../support/requirements.js';
import { startServer, type TestServer } from '../support/server.js';

const WHOLE = wordsText(10).trim();

describe.skipIf(!hasChromium())('getting into the chat page', () => {
  let browser: Browser;
  let llm: LlmServer;
  let server: TestServer;
  let closed: TestServer;
  const visitors: Visitor[] = [];
  const proxies: HalfProxy[] = [];

  beforeAll(async () => {
    llm = await startLlmServer();
    const env = { LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:10:1', PROVIDER_RETRIES: '0' };
    server = await startServer({ env });
    closed = await startServer({ env: { ...env, NODE_ENV: 'production' } });
    browser = await launchBrowser();
  });

  afterEach(async () => {
    await Promise.all(visitors.splice(0).map(({ context }) => context.close()));
    for (const proxy of proxies.splice(0)) proxy.close();
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await closed?.stop();
    await llm?.close();
  });

  async function open(url: string, options: BrowserContextOptions = {}): Promise<Page> {
    const visitor = await visit(browser, url, options);
    visitors.push(visitor);
    return visitor.page;
  }

  async function connected(url: string): Promise<Page> {
    const page = await open(url);
    await page.waitForSelector('#link-state[data-phase=connected]');
    return page;
  }

  async function behind(host?: string): Promise<HalfProxy> {
    const proxy = await startHalfProxy(server.url, host);
    proxies.push(proxy);
    return proxy;
  }

  it('works behind a proxy that swallows WebSocket handshakes', async () => {
    const proxy = await behind();
    const page = await connected(proxy.url);
    expect(proxy.swallowed()).toBeLessThanOrEqual(1);
    await say(page, 'Well?');
    expect(await finishedAnswer(page)).toBe(WHOLE);
    await eventually(() => proxy.swallowed() === 1, 'the upgrade is tried');
  });

  it('works where polling fails and a WebSocket does not', async () => {
    const visitor = await visit(browser, 'about:blank');
    visitors.push(visitor);
    const { page } = visitor;
    // As without sticky sessions: the next request meets a process that does not know the session.
    await page.route(/transport=polling.*sid=/, (route) =>
      route.fulfill({ status: 400, body: '{"code":1}' }),
    );
    await page.goto(server.url);
    await page.waitForSelector('#link-state[data-phase=connected]');
  });

  it('says that the origin is refused, what the server saw, and how to mend it', async () => {
    const proxy = await behind('streamgate');
    const page = await open(proxy.url);
    await page.waitForSelector('#link-state[data-phase=refused]');
    const banner = page.locator('#banner');
    await banner.getByText('Refused origin').waitFor();
    const text = await banner.textContent();
    expect(text).toContain(proxy.url);
    expect(text).toContain('Host streamgate');
    expect(text).toContain('CORS_ORIGINS');
    expect(text).not.toContain('interrupted');
  });

  it('asks for a token where no guests are taken, and says how to get one', async () => {
    const page = await open(closed.url);
    await page.getByText('GUEST_ACCESS is off').waitFor();
    await page.getByText('npm run -s token').waitFor();
    expect(await page.locator('#banner').isVisible()).toBe(false);
    expect(await page.isDisabled('#composer-input')).toBe(true);
    await page.fill('#token-input', 'nonsense');
    await page.press('#token-input', 'Enter');
    await page.getByText('does not accept this token').waitFor();
    await page.fill('#token-input', await tokenFor('ann', { name: 'Ann' }));
    await page.press('#token-input', 'Enter');
    await page.waitForSelector('.suggestion');
    await tell(page, 'I am in');
    await allSent(page);
    await page.reload();
    await expectSaid(page, ['I am in']);
    await page.click('#people-button');
    expect(await page.locator('#people-list').textContent()).toContain('Ann (you)');
    expect(await page.locator('#name-form').isVisible()).toBe(false);
    await page.click('#forget-token');
    await page.waitForSelector('#token-input');
    expect(await page.evaluate('Object.keys(sessionStorage)')).toEqual([]);
  });

  it('takes the token of an address, and takes it out of the address', async () => {
    const token = await tokenFor('bob');
    const page = await connected(`${closed.url}/#token=${token}`);
    await page.waitForSelector('.suggestion');
    expect(page.url()).toMatch(/#[\w-]{22}$/);
    await tell(page, 'Mine');
    await allSent(page);
    const conversation = new URL(page.url()).hash.slice(1);
    const again = await connected(`${closed.url}/#${conversation}&token=${token}`);
    await expectSaid(again, ['Mine']);
    expect(new URL(again.url()).hash).toBe(`#${conversation}`);
  });

  it('opens with an address that is badly encoded', async () => {
    const page = await connected(`${server.url}/#%`);
    expect(page.url()).toMatch(/#[\w-]{22}$/);
  });

  it('opens with anything in its storage', async () => {
    const page = await connected(server.url);
    const faults = visitors.at(-1)?.faults;
    for (const [index, value] of [
      '{',
      '5',
      'null',
      '[]',
      '{"token":{}}',
      '"x"',
      '{"userId":"a"}',
    ].entries()) {
      const keys = ['guest', 'device', 'ask', 'theme', `draft.anew-${index}`, `outbox.anew-${index}/1`];
      await page.evaluate(`for (const key of ${JSON.stringify(keys)})
        localStorage.setItem('streamgate.' + key, ${JSON.stringify(value)})`);
      // A conversation that the new guest may open.
      await page.evaluate(`history.replaceState(null, '', '#anew-${index}')`);
      await page.reload();
      await page.waitForSelector('#link-state[data-phase=connected]');
      await tell(page, `Value ${index}`);
      await page.locator('.said').getByText(`Value ${index}`).waitFor();
      await page.waitForSelector('.entry.pending', { state: 'detached' });
      expect(faults).toEqual([]);
    }
  });

  it('does not share by opening the dialog, only by its button', async () => {
    const page = await connected(server.url);
    await page.waitForSelector('.suggestion');
    const token = await page.evaluate<string>('JSON.parse(localStorage["streamgate.guest"]).token');
    const id = new URL(page.url()).hash.slice(1);
    const access = async () => {
      const headers = { authorization: `Bearer ${token}` };
      const response = await fetch(`${server.url}/api/conversations/${id}`, { headers });
      return ((await response.json()) as { access: string }).access;
    };
    await page.click('#share-button');
    await page.locator('#share-start').waitFor();
    await page.keyboard.press('Escape');
    await page.waitForSelector('#share-dialog', { state: 'hidden' });
    expect(await access()).toBe('members');
    await page.click('#share-button');
    await page.click('#share-start');
    await page.waitForSelector('#share-copy', { state: 'visible' });
    expect(await access()).toBe('link');
    await page.click('#share-stop');
    await page.waitForSelector('#share-dialog', { state: 'hidden' });
    expect(await access()).toBe('members');
    await page.click('#share-button');
    await page.locator('#share-start').waitFor();
  });

  it.each(['status:400', 'error:5'])('asks again after an answer that failed by %s', async (failing) => {
    const page = await connected(server.url);
    llm.script(failing);
    await say(page, 'Fail first');
    await page.click('.again');
    await expectSaid(page, ['Fail first', 'Fail first']);
    await page.locator('.prose').getByText(WHOLE).waitFor();
    expect(await page.locator('.again').count()).toBe(0);
    await page.reload();
    await page.locator('.prose').getByText(WHOLE).waitFor();
    expect(await page.locator('.again').count()).toBe(0);
  });
});
