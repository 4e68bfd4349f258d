import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { visit } from './browser.js';
import { ROOT, readPage } from './pages.js';

/** A fenced code block of a page. */
export interface Sample {
  /** Its heading; a later block of the same language under the same heading has ` (2)`, ` (3)` … */
  title: string;
  language: string;
  code: string;
}

/** Address of the server in the samples. */
export const SAMPLE_URL = 'http://127.0.0.1:3000';

/** All samples of a page, in order. */
export async function samplesOf(path: string): Promise<Sample[]> {
  const samples: Sample[] = [];
  let heading = '';
  for (const [, title, language = '', code = ''] of (await readPage(path)).matchAll(
    /^#+ (.+)$|^```(\w+).*\n([^]*?)^```$/gm,
  )) {
    if (title !== undefined) {
      heading = title;
      continue;
    }
    const count = samples.filter((one) => one.language === language && one.title.startsWith(heading)).length;
    samples.push({ title: count === 0 ? heading : `${heading} (${count + 1})`, language, code });
  }
  return samples;
}

/** What the samples take for given. `client` makes a socket that a sample's handlers are registered on before it connects. */
const PRELUDE = `
  import { io } from 'socket.io-client';
  Object.assign(globalThis, {
    shown: [],
    texts: {},
    show: (message) => shown.push(message),
    showAnswer: (streamId, text) => (texts[streamId] = text),
    appendToAnswer: (streamId, text) => (texts[streamId] = (texts[streamId] ?? '') + text),
    client: (token, options) =>
      io({ path: '/api/ws/chat', autoConnect: false, auth: { token, acks: true }, ...options }),
    connected: (socket) =>
      new Promise((resolve) => socket.connected ? resolve() : socket.once('connect', resolve).connect()),
  });
`;

/** A browser's page on which samples run. */
export interface SamplePage {
  page: Page;
  /** Runs JavaScript as a module, to its end; `names` of it become global. @throws what it throws. */
  run(code: string, ...names: string[]): Promise<void>;
  /** Value of an expression, awaited. */
  get<T>(expression: string): Promise<T>;
  /** Loads the page anew, without what ran on it. */
  reset(): Promise<void>;
  /** Errors that nothing caught. */
  faults: string[];
  close(): Promise<void>;
}

/**
 * Opens a page of the origin of `url` that has `socket.io-client`. It is a real response, since Chromium lets a page from a
 * stub open no WebSocket to this machine.
 */
export async function openSamplePage(browser: Browser, url: string): Promise<SamplePage> {
  const client = await readFile(
    join(ROOT, 'node_modules/socket.io-client/dist/socket.io.esm.min.js'),
    'utf8',
  );
  const { page, context } = await visit(browser, 'about:blank', { bypassCSP: true });
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  const get = <T>(expression: string): Promise<T> => page.evaluate<T>(`(async () => (${expression}))()`);
  const run = async (code: string, ...names: string[]): Promise<void> => {
    const source = JSON.stringify(`${code}\nexport { ${names.join(', ')} };`);
    const module = `URL.createObjectURL(new Blob([${source}], { type: 'text/javascript' }))`;
    await page.evaluate(`import(${module}).then((names) => void Object.assign(globalThis, names))`);
  };
  const reset = async (): Promise<void> => {
    await page.unrouteAll();
    await page.route('**/samples/client.js', (route) =>
      route.fulfill({ contentType: 'text/javascript', body: client }),
    );
    await page.goto(`${url}/api/ws/health/live`);
    const imports = JSON.stringify({ imports: { 'socket.io-client': '/samples/client.js' } });
    await page.setContent(`<script type="importmap">${imports}</script><input id="input">`);
    await run(PRELUDE);
    faults.splice(0);
  };
  await reset();
  return { page, run, get, reset, faults, close: () => context.close() };
}
