import { expect, test } from 'vitest';
import type { ConversationsStore } from './conversations.store.js';
import { MemberCache } from './member-cache.js';

type Members = Awaited<ReturnType<ConversationsStore['memberIds']>>;

/** A cache over a store whose loads the test resolves one by one, in the order in which they began. */
function cacheOverHeldLoads() {
  const loads: ((members: Members) => void)[] = [];
  const store: Pick<ConversationsStore, 'memberIds'> = {
    memberIds: () => new Promise((resolve) => loads.push(resolve)),
  };
  const cache = new MemberCache(store as ConversationsStore);
  const resolveNext = async (version: number, ...userIds: string[]): Promise<void> => {
    expect(loads).not.toEqual([]);
    loads.shift()?.({ version, userIds });
    // Until the cache has kept the result and begun the next load, if it needs one.
    await new Promise(setImmediate);
  };
  return { cache, loads, resolveNext };
}

test('A load that began before a change is not enough: the removed member is not among those returned (P10)', async () => {
  const { cache, loads, resolveNext } = cacheOverHeldLoads();
  const before = cache.at('c', 1);
  const after = cache.at('c', 2);
  expect(loads).toHaveLength(1);
  await resolveNext(1, 'owner', 'removed');
  expect(loads).toHaveLength(1);
  await resolveNext(2, 'owner');
  expect([...(await before)]).toEqual(['owner', 'removed']);
  expect([...(await after)]).toEqual(['owner']);
});

test('Members of an older version are not known at a newer one, and are loaded again (P10)', async () => {
  const { cache, loads, resolveNext } = cacheOverHeldLoads();
  const first = cache.at('c', 1);
  await resolveNext(1, 'owner', 'removed');
  await first;
  expect(cache.known('c', 1)).toEqual(new Set(['owner', 'removed']));
  expect(cache.known('c', 2)).toBeUndefined();
  const second = cache.at('c', 2);
  await resolveNext(2, 'owner');
  expect([...(await second)]).toEqual(['owner']);
  expect(cache.known('c', 2)).toEqual(new Set(['owner']));
  expect(loads).toEqual([]);
});

test('Callers at one version share a load, and later ones need none', async () => {
  const { cache, loads, resolveNext } = cacheOverHeldLoads();
  const both = Promise.all([cache.at('c', 1), cache.at('c', 1)]);
  await resolveNext(1, 'owner');
  await both;
  await cache.at('c', 1);
  expect(loads).toEqual([]);
});

test('A load that fails is not kept: the next caller loads anew', async () => {
  let fail = true;
  const store: Pick<ConversationsStore, 'memberIds'> = {
    memberIds: () =>
      fail ? Promise.reject(new Error('down')) : Promise.resolve({ version: 1, userIds: ['owner'] }),
  };
  const cache = new MemberCache(store as ConversationsStore);
  await expect(cache.at('c', 1)).rejects.toThrow('down');
  fail = false;
  expect([...(await cache.at('c', 1))]).toEqual(['owner']);
});
