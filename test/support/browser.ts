import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from 'playwright-core';
import { chromiumPath } from './requirements.js';

const ARGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  ...['--disable-sync', '--no-first-run', '--disable-quic'],
];

/** A Chromium for tests. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath() as string, args: ARGS });
}

/** Somebody at a browser of their own: their own storage, so their own guest. */
export interface Visitor {
  page: Page;
  context: BrowserContext;
  /** Errors of scripts, and what the page's security policy refused. */
  faults: string[];
}

type Prepare = (context: BrowserContext, page: Page) => Promise<void>;

/** Opens `url` as a new visitor; `prepare` has the page before anything is asked for. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions & { prepare?: Prepare } = {},
): Promise<Visitor> {
  const { prepare, ...rest } = options;
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...rest });
  const page = await context.newPage();
  await prepare?.(context, page);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('net::ERR_')) faults.push(message.text());
  });
  await page.goto(url);
  return { page, context, faults };
}
