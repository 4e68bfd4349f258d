import type { Page } from 'playwright-core';
import { expect, vi } from 'vitest';

const PATIENCE = { timeout: 20_000, interval: 20 };

/** Types `text` into the chat page and sends it by Enter. */
export async function say(page: Page, text: string): Promise<void> {
  await page.fill('#composer-input', text);
  await page.press('#composer-input', 'Enter');
}

/** Like {@link say}, to the people only: the assistant does not answer. */
export async function tell(page: Page, text: string): Promise<void> {
  await page.uncheck('#ask', { force: true });
  await say(page, text);
}

/** Waits until the last answer is being written and has at least `chars` characters; gives its text so far. */
export async function partialAnswer(page: Page, chars: number): Promise<string> {
  return vi.waitUntil(async () => {
    const [text] = (await page.locator('.streaming .prose').allTextContents()).slice(-1);
    return text !== undefined && text.trim().length >= chars ? text.trim() : false;
  }, PATIENCE);
}

/** Waits until nothing is being written and `count` answers are there; gives the last one's text. */
export async function finishedAnswer(page: Page, count = 1): Promise<string> {
  await vi.waitUntil(async () => {
    const writing = await page.locator('.streaming').count();
    return writing === 0 && (await page.locator('.assistant .tool').count()) === count;
  }, PATIENCE);
  return ((await page.locator('.assistant .prose').last().textContent()) ?? '').trim();
}

/** Opens the conversation by the Share button; gives its link. */
export async function share(page: Page): Promise<string> {
  await page.click('#share-button');
  if (await page.locator('#share-start').isVisible()) await page.click('#share-start');
  await page.waitForSelector('#share-copy', { state: 'visible' });
  const link = await page.inputValue('#share-link');
  await page.keyboard.press('Escape');
  return link;
}

/** Takes a display name. */
export async function rename(page: Page, name: string): Promise<void> {
  await page.click('#people-button');
  await page.fill('#name-input', name);
  await page.click('#name-save');
  await page.waitForSelector('#people-dialog', { state: 'hidden' });
  await page.waitForSelector('#link-state[data-phase=connected]');
}

/** Waits until the thread holds exactly what people have said, in order. */
export async function expectSaid(page: Page, texts: readonly string[]): Promise<void> {
  await expect.poll(() => page.locator('.said').allTextContents(), PATIENCE).toEqual(texts);
}

/** Waits until the server has acked everything that was written here. */
export async function allSent(page: Page): Promise<void> {
  await vi.waitUntil(async () => {
    const kept = await page.evaluate<string[]>('Object.keys(localStorage)');
    return !kept.some((key) => key.startsWith('streamgate.outbox'));
  }, PATIENCE);
}
