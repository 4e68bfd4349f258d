import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, visit, type Visitor } from '../support/browser.js';
import { finishedAnswer, partialAnswer, expectSaid, rename, say, share, tell } from '../support/chat-page.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { wordsText } from '../support/llm-behaviour.js';
import { hasChromium } from '../support/requirements.js';
import { startServer, type TestServer } from '../support/server.js';

const SLOW_WORDS = 'words:60:40';
const WHOLE = wordsText(60).trim();

describe.skipIf(!hasChromium())('the chat page', () => {
  let browser: Browser;
  let llm: LlmServer;
  let server: TestServer;
  const visitors: Visitor[] = [];

  beforeAll(async () => {
    llm = await startLlmServer();
    server = await startServer({ env: { LLM_BASE_URL: llm.baseUrl, LLM_MODEL: SLOW_WORDS } });
    browser = await launchBrowser();
  });

  afterEach(async () => {
    const faults = visitors.flatMap((visitor) => visitor.faults);
    await Promise.all(visitors.splice(0).map(({ context }) => context.close()));
    if (faults.length > 0) throw new Error(`the page had faults:\n${faults.join('\n')}`);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await llm?.close();
  });

  async function open(url = server.url, options = {}): Promise<Visitor['page']> {
    const visitor = await visit(browser, url, options);
    visitors.push(visitor);
    await visitor.page.waitForSelector('#link-state[data-phase=connected]');
    return visitor.page;
  }

  it('shows an answer while it is written, and the same text when it has ended', async () => {
    const page = await open();
    await page.click('.suggestion');
    const early = await partialAnswer(page, 10);
    const later = await partialAnswer(page, early.length + 20);
    expect(later.startsWith(early)).toBe(true);
    expect(await finishedAnswer(page)).toBe(WHOLE);
    await page.reload();
    expect(await finishedAnswer(page)).toBe(WHOLE);
  });

  it('goes on with the answer after a reload in the middle of it', async () => {
    const page = await open();
    await say(page, 'Tell me something');
    const before = await partialAnswer(page, 30);
    await page.reload();
    const after = await partialAnswer(page, before.length + 10);
    expect(after.startsWith(before)).toBe(true);
    expect(after.length).toBeLessThan(WHOLE.length);
    expect(await finishedAnswer(page)).toBe(WHOLE);
    await expectSaid(page, ['Tell me something']);
  });

  it('shows the same answer to a second user of the shared link', async () => {
    const asker = await open();
    const link = await share(asker);
    const guest = await open(link);
    await guest.waitForSelector('.suggestion');
    await say(asker, 'What do we both see?');
    await Promise.all([partialAnswer(asker, 10), partialAnswer(guest, 10)]);
    expect(await guest.locator('.stop').count()).toBe(0);
    expect(await Promise.all([finishedAnswer(asker), finishedAnswer(guest)])).toEqual([WHOLE, WHOLE]);
  });

  it('does not admit users by the link of a conversation that is not shared', async () => {
    const owner = await open();
    await tell(owner, 'For me alone');
    await owner.waitForSelector('.said');
    const stranger = await open(owner.url());
    await stranger.getByText('You cannot enter this conversation').waitFor();
    await expectSaid(stranger, []);
  });

  it('stops an answer, for good and for all viewers', async () => {
    const page = await open();
    await say(page, 'Say a lot');
    await partialAnswer(page, 20);
    await page.click('.stop');
    await page.getByText('Stopped', { exact: true }).waitFor();
    const stopped = await finishedAnswer(page);
    expect(stopped.length).toBeLessThan(WHOLE.length);
    expect(WHOLE.startsWith(stopped)).toBe(true);
    await page.reload();
    await page.getByText('Stopped', { exact: true }).waitFor();
    expect(await finishedAnswer(page)).toBe(stopped);
  });

  it('distinguishes users by their names, and requests no answer if the assistant is off', async () => {
    const anna = await open();
    await rename(anna, 'Anna');
    const bo = await open(await share(anna));
    await rename(bo, 'Bo');
    await tell(bo, 'Hello Anna');
    const entry = anna.locator('.entry.person:not(.own)');
    await entry.getByText('Hello Anna').waitFor();
    await entry.locator('.author').getByText('Bo', { exact: true }).waitFor();
    await tell(anna, 'Hello Bo');
    await bo.locator('.entry.person:not(.own) .author').getByText('Anna', { exact: true }).waitFor();
    await expectSaid(bo, ['Hello Anna', 'Hello Bo']);
    expect(await bo.locator('.assistant').count()).toBe(0);
  });

  it('shows markup as text, from people and from the model, and loads nothing that it names', async () => {
    const page = await open();
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    llm.script('echo');
    const attack = [
      '<img src=x onerror="window.attacked=1"><script>window.attacked=1</script><svg onload="window.attacked=1">',
      '[click](javascript:window.attacked=1) ![picture](https://evil.example/x.png)',
      '<a href="javascript:window.attacked=1">go</a> <style>body{display:none}</style><iframe src="//evil.example">',
    ].join('\n\n');
    await page.fill('#composer-input', attack);
    await page.press('#composer-input', 'Enter');
    await finishedAnswer(page);
    expect(await page.evaluate('window.attacked')).toBeUndefined();
    const live = 'img, script, iframe, style, svg[onload], [onerror], a[href^="javascript"]';
    expect(await page.locator('.thread').locator(live).count()).toBe(0);
    expect(await page.locator('.assistant .prose').textContent()).toContain('<script>');
    expect(requests.filter((url) => url.includes('evil.example') || url.endsWith('/x'))).toEqual([]);
  });

  it('shows why an answer failed', async () => {
    const page = await open();
    llm.script('error:5');
    await say(page, 'Fail, please');
    await page.getByText('The model behind the assistant reported an error.').waitFor();
  });

  it('starts a new conversation and leads back to the old one', async () => {
    const page = await open();
    const first = page.url();
    await tell(page, 'In the first');
    await page.waitForSelector('.said');
    await page.click('#new-button');
    await page.waitForSelector('.suggestion');
    expect(page.url()).not.toBe(first);
    expect(page.url()).toMatch(/#[\w-]{22}$/);
    await page.goBack();
    await page.locator('.said').getByText('In the first').waitFor();
  });
});
