import type { BrowserContext, Page } from 'playwright-core';

/** A page of which every step out of its bounds is noted. */
export interface Watched {
  /** To be called with the page before it is opened. */
  attach(context: BrowserContext, page: Page): Promise<void>;
  /** A sentence for each script that ran, dialog, request to another place, other page, and breach of its policy. */
  faults(page: Page): Promise<string[]>;
}

const NOTE_VIOLATIONS = `
  globalThis.violations = [];
  addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile }) =>
    violations.push(violatedDirective + ' ' + blockedURI + ' ' + sourceFile));
`;

/** Watches a page of `origin`. A script that got in says so by setting `attacked`. */
export function watchPage(origin: string): Watched {
  const noted: string[] = [];
  const isOwn = (url: string): boolean => url.startsWith(`${origin}/`) || /^(?:about:blank|blob:)/.test(url);

  async function attach(context: BrowserContext, page: Page): Promise<void> {
    await context.addInitScript(NOTE_VIOLATIONS);
    context.on('page', (other) => {
      if (other !== page) noted.push(`opened ${other.url()}`);
    });
    page.on('dialog', (dialog) => {
      noted.push(`showed a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => {
      const url = request.url();
      if (!isOwn(url) && !url.startsWith('data:')) noted.push(`asked ${url}`);
    });
    page.on('websocket', (socket) => {
      if (!isOwn(socket.url().replace(/^ws/, 'http'))) noted.push(`connected to ${socket.url()}`);
    });
    page.on('framenavigated', (frame) => {
      if (!isOwn(frame.url()) || frame !== page.mainFrame()) noted.push(`went to ${frame.url()}`);
    });
  }

  async function faults(page: Page): Promise<string[]> {
    const attacked = await page.evaluate<unknown>('globalThis.attacked');
    const violations = await page.evaluate<string[]>('globalThis.violations');
    return [
      ...(attacked === undefined ? [] : ['a script ran']),
      ...noted,
      ...violations.map((violation) => `broke the policy: ${violation}`),
    ];
  }

  return { attach, faults };
}
