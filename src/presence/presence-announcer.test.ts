import { beforeEach, expect, test, vi } from 'vitest';
import { MemoryRelay } from '../platform/relay/memory-relay.js';
import type { PresenceEvent } from '../platform/relay/topics.js';
import { PresenceAnnouncer } from './presence-announcer.js';
import type { SharedConversationsStore } from './shared-conversations.store.js';

const conversationsOf = vi.fn<SharedConversationsStore['conversationsOf']>();
let published: PresenceEvent[];
let announcer: PresenceAnnouncer;

beforeEach(() => {
  published = [];
  conversationsOf
    .mockReset()
    .mockImplementation((userIds) => Promise.resolve(new Map(userIds.map((id) => [id, [`with ${id}`]]))));
  const relay = new MemoryRelay();
  relay.subscribe('presence', 'all', (event) => published.push(event));
  const store = { conversationsOf } as Partial<SharedConversationsStore> as SharedConversationsStore;
  announcer = new PresenceAnnouncer(relay, store);
});

function announce(userId: string, version = 1, origin?: string): void {
  announcer.announce({ presence: { userId, status: 'online', lastSeenAt: null, version }, origin });
}

test('Changes are published in order, with the conversations of their users and their origin', async () => {
  announce('ann', 1, 'phone');
  announce('bob');
  announce('ann', 2);
  await expect.poll(() => published.length).toBe(3);
  expect(published.map(({ presence }) => [presence.userId, presence.version])).toEqual([
    ['ann', 1],
    ['bob', 1],
    ['ann', 2],
  ]);
  expect(published.map(({ conversationIds }) => conversationIds)).toEqual([
    ['with ann'],
    ['with bob'],
    ['with ann'],
  ]);
  expect(published.map(({ origin }) => origin)).toEqual(['phone', undefined, undefined]);
});

test('Changes during a query share the next one', async () => {
  announce('ann');
  for (const userId of ['bob', 'bob', 'carl']) announce(userId);
  await expect.poll(() => published.length).toBe(4);
  expect(conversationsOf.mock.calls).toEqual([[['ann']], [['bob', 'carl']]]);
});

test('When the query fails, the changes are published later, in order and once', async () => {
  conversationsOf.mockRejectedValueOnce(new Error('the database is unavailable'));
  announce('ann');
  announce('bob');
  await expect.poll(() => published.length, { timeout: 5000 }).toBe(2);
  expect(published.map(({ presence }) => presence.userId)).toEqual(['ann', 'bob']);
});

test('After close nothing more is read', async () => {
  announce('ann');
  announce('bob');
  announcer.close();
  await new Promise(setImmediate);
  expect(conversationsOf).toHaveBeenCalledTimes(1);
});
