import { access } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Field } from '../../src/platform/config/fields.js';
import { renderLists } from '../../src/platform/config/render.js';
import { GROUPS, VARIABLES } from '../../src/platform/config/variables.js';
import { EVENT_COSTS } from '../../src/platform/limits/event-costs.js';
import { ERROR_RULES, LIMITS, type ClientEvents, type ServerEvents } from '../../src/protocol/index.js';
import { anchorsOf, headingsOf, linksOf, listPages, readPage, ROOT, rowsOf } from '../support/pages.js';

/** The names of all events. The types keep the lists complete: a missing event does not compile. */
const CLIENT_EVENTS: Record<keyof ClientEvents, true> = {
  'auth:refresh': true,
  'conversation:join': true,
  'conversation:leave': true,
  'message:send': true,
  'message:ack': true,
  'message:history': true,
  'stream:pause': true,
  'stream:resume': true,
  'typing:start': true,
  'typing:stop': true,
  'presence:update': true,
  'presence:watch': true,
  'presence:unwatch': true,
  'topic:subscribe': true,
  'topic:unsubscribe': true,
  'stream:cancel': true,
  'stream:recover': true,
  ping: true,
};
const SERVER_EVENTS: Record<keyof ServerEvents, true> = {
  'connection:status': true,
  'auth:expiring': true,
  'connection:draining': true,
  'connection:closing': true,
  'conversation:changed': true,
  'message:new': true,
  'message:receipt': true,
  'queue:deliver': true,
  'stream:started': true,
  'stream:chunk': true,
  'stream:status': true,
  'typing:update': true,
  'presence:update': true,
  'system:message': true,
};
const EVENTS = Object.keys({ ...CLIENT_EVENTS, ...SERVER_EVENTS });

/** Longest line of a table. The formatter pads every row to the widest cell of each column. */
const MAX_TABLE_LINE = 210;

const pages = await listPages();

describe.each(pages)('%s', (path) => {
  test('has only links that lead somewhere', async () => {
    const page = await readPage(path);
    const broken: string[] = [];
    for (const link of linksOf(page)) {
      if (/^https?:/.test(link)) continue;
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? path : normalize(join(dirname(path), file));
      const there = await exists(target);
      if (!there || (anchor && !anchorsOf(await readPage(target)).has(anchor))) broken.push(link);
    }
    expect(broken).toEqual([]);
  });

  test('has each heading once, so that links to it are unambiguous', async () => {
    // Every release of a changelog has the same headings, and no link leads to them.
    if (path === 'CHANGELOG.md') return;
    const headings = headingsOf(await readPage(path));
    expect(headings.length).toBeGreaterThan(0);
    expect(headings).toHaveLength(new Set(headings).size);
  });
});

test('no table has a line that is too long to read in an editor', async () => {
  const long: string[] = [];
  for (const path of pages) {
    const lines = (await readPage(path)).split('\n').entries();
    for (const [index, line] of lines) {
      if (line.startsWith('|') && line.length > MAX_TABLE_LINE) long.push(`${path}:${index + 1}`);
    }
  }
  expect(long).toEqual([]);
});

test('every page can be reached from the README', async () => {
  const seen = new Set(['README.md']);
  for (const path of seen) {
    for (const link of linksOf(await readPage(path))) {
      const target = normalize(join(dirname(path), link.split('#')[0] ?? ''));
      if (pages.includes(target)) seen.add(target);
    }
  }
  expect(pages.filter((path) => !seen.has(path))).toEqual([]);
});

describe('docs/protocol.md', async () => {
  const page = await readPage('docs/protocol.md');
  const rows = rowsOf(page);
  const headings = headingsOf(page);

  test.each(Object.entries(ERROR_RULES))('has the status of %s and whether to retry', (code, rule) => {
    const row = rows.find(([first]) => first === `\`${code}\``);
    const status = rule.httpStatus === 0 ? '–' : String(rule.httpStatus);
    expect(row?.slice(1, 3)).toEqual([status, rule.retryable ? 'yes' : 'no']);
    expect(row?.[3]?.length).toBeGreaterThan(20);
  });

  test('lists no error code that does not exist', () => {
    const start = rows.findIndex(([first, second]) => first === 'code' && second === 'HTTP');
    const listed = rows.slice(start + 2, start + 2 + Object.keys(ERROR_RULES).length);
    expect(listed.map(([code]) => code?.replaceAll('`', ''))).toEqual(Object.keys(ERROR_RULES));
  });

  test.each([
    ...Object.keys(CLIENT_EVENTS).map((event) => [event, '4.2.'] as const),
    ...Object.keys(SERVER_EVENTS).map((event) => [event, '4.3.'] as const),
  ])('has one section for %s in %s', (event, section) => {
    const sections = headings.filter((heading) => heading.startsWith(section));
    expect(sections.filter((heading) => heading.replace(/^[\d.]+ /, '') === event)).toHaveLength(1);
  });

  test('has a section for no event that does not exist', () => {
    const sections = headings.filter((heading) => /^4\.[23]\.\d+ /.test(heading));
    expect(new Set(sections.map((heading) => heading.split(' ')[1]))).toEqual(new Set(EVENTS));
  });

  test('numbers its sections in order, each number once', () => {
    const numbers = headings.map((heading) => /^\d[\d.]* /.exec(heading)?.[0].trim().replace(/\.$/, ''));
    const parsed = numbers.filter((number) => number !== undefined).map((n) => n.split('.').map(Number));
    const sorted = parsed.toSorted((a, b) => compareNumbers(a, b));
    expect(parsed).toEqual(sorted);
    expect(new Set(parsed.map(String)).size).toBe(parsed.length);
  });

  test('has the limits of the code', () => {
    const limits = new Map(rows.filter((row) => row.length === 2).map(([what, limit]) => [what, limit]));
    expect(limits.get('`conversationId`, `clientMessageId`')).toBe(
      `${LIMITS.conversationIdChars} characters`,
    );
    expect(limits.get('user id')).toBe(`${LIMITS.userIdChars} characters`);
    expect(limits.get('name of a user')).toBe(`${LIMITS.nameChars} characters`);
    expect(limits.get('title of a conversation')).toBe(`${LIMITS.titleChars} characters`);
    expect(limits.get('`metadata`')).toBe(`${LIMITS.metadataDepth} levels, ${LIMITS.metadataBytes} bytes`);
    expect(limits.get('messages in one page')).toBe(
      `${LIMITS.pageMessages}, default ${LIMITS.defaultPageMessages}`,
    );
    expect(limits.get('items in one `queue:deliver`')).toBe(String(LIMITS.deliverItems));
    expect(limits.get('conversations joined on one connection')).toBe(String(LIMITS.joinedConversations));
    expect(limits.get('users watched on one connection')).toBe(String(LIMITS.watchedUsers));
    expect(limits.get('topics subscribed to on one connection')).toBe(String(LIMITS.topics));
    expect(limits.get('name of a topic')).toBe(`${LIMITS.topicChars} characters`);
    expect(limits.get("time between announcements of one's typing")).toBe(
      `${LIMITS.typingAnnounceMs / 1000} seconds`,
    );
    expect(limits.get('time until a request fails with `timeout`')).toBe(
      `${LIMITS.requestTimeoutMs / 1000} seconds`,
    );
  });
});

test('docs/deployment.md has the cost of each event', async () => {
  const rows = rowsOf(await readPage('docs/deployment.md'));
  const listed = rows.flatMap(([events = '', points]) =>
    events.split(', ').map((event) => [event.replaceAll('`', ''), Number(points)] as const),
  );
  for (const [event, cost] of Object.entries(EVENT_COSTS)) expect(listed).toContainEqual([event, cost]);
});

describe('docs/configuration.md', async () => {
  const page = await readPage('docs/configuration.md');

  test('is what the code says (mend it with: npm run config:doc)', () => {
    expect(page).toBe(renderLists(page, GROUPS));
  });

  test('lists every variable once, with its default and a sentence', () => {
    const listed = [...page.matchAll(/^- `([A-Z_]+)` \((default `.+`|no default)\): (.{10,})$/gm)];
    expect(listed.map(([, name]) => name)).toEqual(Object.keys(VARIABLES));
    const fields = Object.values<Field<unknown>>(VARIABLES);
    const presets = fields.map(({ defaultText }) =>
      defaultText ? `default \`${defaultText}\`` : 'no default',
    );
    expect(listed.map(([, , preset]) => preset)).toEqual(presets);
  });
});

function compareNumbers(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = (a[index] ?? -1) - (b[index] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}

async function exists(path: string): Promise<boolean> {
  return access(join(ROOT, path)).then(
    () => true,
    () => false,
  );
}
