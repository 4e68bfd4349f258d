import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SOCKET_PATH } from '../../src/protocol/index.js';
import { launchBrowser } from '../support/browser.js';
import { tokenFor } from '../support/client.js';
import { scrape, sumOf } from '../support/metrics-page.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { hasChromium } from '../support/requirements.js';
import { startServer, type TestServer } from '../support/server.js';
import { withClient } from '../support/with-client.js';

const TABLES = ['conversations', 'members', 'messages', 'deliveries', 'streams', 'users', 'revocations'];

/** What another site's page can do to the service, in a browser whose user uses it, too. */
describe.skipIf(!hasChromium())("another site's page", () => {
  let browser: Browser;
  let database: TestDatabase;
  let server: TestServer;
  let site: Server;
  let page: Page;
  let before: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    server = await startServer({ databaseUrl: database.url, env: { RATE_LIMIT_ENABLED: 'false' } });
    // Another port is another origin, and yet the same site: no browser's rule for sites is in the way.
    site = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>Evil</title>');
    }).listen(0, '127.0.0.1');
    await once(site, 'listening');
    browser = await launchBrowser();
    const context = await browser.newContext();
    page = await context.newPage();
    await page.goto(server.url);
    await page.waitForSelector('#link-state[data-phase=connected]');
    await page.fill('#composer-input', 'Mine');
    await page.press('#composer-input', 'Enter');
    await page.locator('.assistant .tool').first().waitFor();
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
    before = await stored();
  });

  beforeEach(async () => {
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
  });

  afterAll(async () => {
    await browser?.close();
    site?.close();
    await server?.stop();
    await database?.drop();
  });

  /** All rows that a request of somebody could make or change. */
  function stored(): Promise<string> {
    return withClient(database.url, async (client) => {
      const counts = TABLES.map((table) => `(select count(*) from ${table}) as ${table}`);
      const { rows } = await client.query(`select ${counts.join(', ')}`);
      return JSON.stringify(rows);
    });
  }

  /** Handshakes of foreign pages that the service has refused. */
  async function refusals(): Promise<number> {
    return sumOf(await scrape(server.url), 'streamgate_handshake_refusals_total', { code: 'forbidden' });
  }

  it.each(['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'])(
    'posts a form as %s: refused, and nothing changes',
    async (type) => {
      await page.evaluate(`{
        const form = document.createElement('form');
        Object.assign(form, { method: 'post', action: '${server.url}/api/conversations', enctype: '${type}' });
        const field = document.createElement('input');
        Object.assign(field, { name: '{"id":"forged","x":"', value: '"}' });
        form.append(field);
        document.body.append(form);
        form.submit();
      }`);
      await page.waitForURL(`${server.url}/api/conversations`);
      expect(await page.locator('body').textContent()).toContain('invalid_payload');
      expect(await stored()).toBe(before);
    },
  );

  it.each([
    ['no-cors', 'POST', 'text/plain'],
    ['cors', 'POST', 'text/plain'],
    ['cors', 'POST', 'application/json'],
    ['cors', 'DELETE', 'application/json'],
    ['cors', 'GET', 'text/plain'],
  ])('fetches by %s, %s, %s: can read nothing, and nothing changes', async (mode, method, type) => {
    const token = await tokenFor('victim');
    const read = await page.evaluate<string>(`
      fetch('${server.url}/api/conversations', {
        mode: '${mode}', method: '${method}', credentials: 'include',
        headers: { 'content-type': '${type}' ${mode === 'cors' ? `, authorization: 'Bearer ${token}'` : ''} },
        ...('${method}' === 'POST' && { body: '{"id":"forged"}' }),
      }).then((response) => response.type + (response.status || ''), (error) => error.name)`);
    expect(read).toBe('TypeError');
    expect(await stored()).toBe(before);
  });

  it('opens a WebSocket, and is refused before it receives anything (P10)', async () => {
    const refused = await refusals();
    const address = `${server.url.replace('http', 'ws')}${SOCKET_PATH}/?EIO=4&transport=websocket`;
    const heard = await page.evaluate<string>(`new Promise((resolve) => {
      const socket = new WebSocket('${address}');
      socket.onopen = () => resolve('open');
      socket.onmessage = ({ data }) => resolve(data);
      socket.onclose = ({ code }) => resolve('closed ' + code);
    })`);
    expect(heard).toBe('closed 1006');
    expect((await refusals()) - refused).toBe(1);
  });

  it.each(['no-cors', 'cors'])('polls by %s, and is refused before the handshake (P10)', async (mode) => {
    const refused = await refusals();
    const read = await page.evaluate<string>(`
      fetch('${server.url}${SOCKET_PATH}/?EIO=4&transport=polling', { mode: '${mode}', credentials: 'include' })
        .then((response) => response.text(), (error) => error.name)`);
    expect(read).not.toContain('sid');
    expect((await refusals()) - refused).toBe(1);
  });

  it('frames the chat, and sees an empty frame', async () => {
    await page.evaluate(`new Promise((resolve) => {
      const frame = document.createElement('iframe');
      frame.onload = resolve;
      frame.src = '${server.url}/';
      document.body.append(frame);
    })`);
    const [, frame] = page.frames();
    expect(await frame?.locator('#composer-input').count()).toBe(0);
  });

  it('loads the scripts and answers of the service as its own, and gets none', async () => {
    const got = await page.evaluate<string[]>(`Promise.all(
      ['/app/main.js', '/api/ws/health/live', '/api/asyncapi-json'].map((path) => new Promise((resolve) => {
        const script = document.createElement('script');
        Object.assign(script, { src: '${server.url}' + path, onload: () => resolve('loaded'), onerror: () => resolve('refused') });
        document.body.append(script);
      })))`);
    expect(got).toEqual(['refused', 'refused', 'refused']);
  });
});
