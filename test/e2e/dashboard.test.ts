import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { launchBrowser, visit, type Visitor } from '../support/browser.js';
import { TestClient, tokenFor } from '../support/client.js';
import { http } from '../support/http.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { hasChromium } from '../support/requirements.js';
import { startServer, type TestServer } from '../support/server.js';

const PATIENCE = { timeout: 20_000, interval: 50 };
const CONVERSATION = 'dashboard';

describe.skipIf(!hasChromium())('the dashboard', () => {
  let browser: Browser;
  let llm: LlmServer;
  let server: TestServer;
  const visitors: Visitor[] = [];
  const clients: TestClient[] = [];

  beforeAll(async () => {
    llm = await startLlmServer();
    const env = { LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'stall:3', STREAM_MAX_PER_USER: '20' };
    const guards = {
      PROVIDER_RETRIES: '0',
      PROVIDER_BREAKER_FAILURES: '1',
      PROVIDER_BREAKER_OPEN_MS: '600000',
    };
    server = await startServer({ env: { ...env, ...guards, RATE_LIMIT_ENABLED: 'false' } });
    browser = await launchBrowser();
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    // What the browser itself says of a refused request is no fault of the page.
    const faults = visitors
      .flatMap((visitor) => visitor.faults)
      .filter((fault) => !/status of 40[13]/.test(fault));
    await Promise.all(visitors.splice(0).map(({ context }) => context.close()));
    if (faults.length > 0) throw new Error(`the page had faults:\n${faults.join('\n')}`);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await llm?.close();
  });

  async function open(token?: string): Promise<Page> {
    const visitor = await visit(browser, `${server.url}/dashboard`);
    visitors.push(visitor);
    if (token !== undefined) await signIn(visitor.page, token);
    return visitor.page;
  }

  async function openAsAdmin(): Promise<Page> {
    const page = await open(await tokenFor('root', { roles: ['admin'] }));
    await page.waitForSelector('#link-state[data-phase=connected]');
    return page;
  }

  async function connect(userId: string): Promise<TestClient> {
    const client = await TestClient.connect(server.url, userId);
    clients.push(client);
    return client;
  }

  it('shows under load what is really there, and draws it', async () => {
    const page = await openAsAdmin();
    const people = await Promise.all(['ann', 'bob', 'cem'].map(connect));
    const [ann] = people as [TestClient];
    await ann.ask('conversation:join', { conversationId: CONVERSATION, access: 'link' });
    await http(server.url, `PUT /api/conversations/${CONVERSATION}/members/away`, { userId: 'ann' });
    for (let n = 0; n < 4; n += 1) await send(ann, `q${n}`, true);
    await vi.waitUntil(async () => (await value(page, 'connections')) === '3', PATIENCE);
    await vi.waitUntil(async () => (await value(page, 'streams')) === '4', PATIENCE);
    await vi.waitUntil(async () => (await value(page, 'first-chunk')).endsWith('ms'), PATIENCE);
    let sent = 4;
    const moved = vi.waitUntil(async () => Number.parseFloat(await value(page, 'messages')) > 0, PATIENCE);
    const talking = new AbortController();
    const talk = (async () => {
      for (; !talking.signal.aborted; sent += 1) await send(ann, `m${sent}`, false);
    })();
    await moved;
    talking.abort();
    await talk;
    await page.getByText(`${sent} in all`).waitFor();
    await vi.waitUntil(async () => Number.parseInt(await value(page, 'queue')) > 0, PATIENCE);
    expect(await value(page, 'event-loop')).toMatch(/ms$/);
    expect(await page.locator('.facts').textContent()).toContain('Provider openai-compatiblebreaker closed');
    expect(await drawnCharts(page)).toBe(await page.locator('.tile-chart').count());
  });

  it('shows an error to users who are not admins, and sends no further request', async () => {
    const page = await open(await tokenFor('mallory'));
    await page.getByText('This token is not an admin’s').waitFor();
    expect(await page.locator('#figures').isVisible()).toBe(false);
    await signIn(page, 'nonsense');
    await page.getByText('This is no token of this server').waitFor();
    expect(await page.evaluate('Object.keys(sessionStorage).length + Object.keys(localStorage).length')).toBe(
      0,
    );
  });

  it('keeps the token over a reload in its own tab only, until the user removes it', async () => {
    const page = await openAsAdmin();
    await page.reload();
    await page.waitForSelector('#link-state[data-phase=connected]');
    expect(await page.evaluate('Object.keys(localStorage)')).toEqual([]);
    await page.click('#leave');
    await page.waitForSelector('#sign-in', { state: 'visible' });
    await page.reload();
    await page.waitForSelector('#sign-in', { state: 'visible' });
  });

  it('says that a provider fails and is left alone', async () => {
    const page = await openAsAdmin();
    await page.getByText('All is well').waitFor();
    llm.script('status:503');
    const ann = await connect('ann');
    await ann.ask('conversation:join', { conversationId: 'failing' });
    await ann.ask('message:send', { conversationId: 'failing', clientMessageId: 'q', content: 'Hello?' });
    await page.getByText('provider openai-compatible fails, and is left alone for a while').waitFor();
  });

  it('says that the server is away, and goes on by itself when it is back', async () => {
    const page = await openAsAdmin();
    await server.kill();
    await page.getByText('The server does not answer').waitFor();
    server = await server.restart();
    await page.waitForSelector('#link-state[data-phase=connected]', PATIENCE);
    await page.getByText('All is well').waitFor();
  });
});

async function signIn(page: Page, token: string): Promise<void> {
  await page.fill('#token', token);
  await page.press('#token', 'Enter');
}

function send(client: TestClient, clientMessageId: string, respond: boolean): Promise<unknown> {
  const content = 'Hello.';
  return client.ask('message:send', { conversationId: CONVERSATION, clientMessageId, content, respond });
}

/** The first figure of a panel. */
async function value(page: Page, tile: string): Promise<string> {
  return (await page.locator(`#tile-${tile} .tile-value`).first().textContent()) ?? '';
}

/** How many charts have something on their canvas. */
function drawnCharts(page: Page): Promise<number> {
  return page.evaluate<number>(`[...document.querySelectorAll('.tile canvas')].filter((canvas) =>
    canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte > 0)).length`);
}
