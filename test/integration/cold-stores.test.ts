import { afterAll, beforeAll, expect, test } from 'vitest';
import { RevocationsStore } from '../../src/auth/revocations/revocations.store.js';
import { newId } from '../../src/common/ids.js';
import { RevocationEntity } from '../../src/auth/revocations/revocation.entity.js';
import { UserEntity } from '../../src/presence/user.entity.js';
import { LastSeenStore } from '../../src/presence/last-seen.store.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { item, openStores, type OpenStores } from '../support/stores.js';

let database: TestDatabase;
let stores: OpenStores;

beforeAll(async () => {
  database = await createTestDatabase();
  stores = await openStores(database.url);
});

afterAll(async () => {
  await stores.close();
  await database.drop();
});

test('Revocations are read back from a time on; a repeat moves the time', async () => {
  const store = new RevocationsStore(stores.database.getRepository(RevocationEntity));
  const first = await store.add({ kind: 'sub', value: 'ann' });
  await store.add({ kind: 'jti', value: 't1' });
  expect((await store.since(0)).map(({ kind, value }) => [kind, value])).toEqual(
    expect.arrayContaining([
      ['sub', 'ann'],
      ['jti', 't1'],
    ]),
  );
  const { at = 0 } = first ?? {};
  expect(await store.since(at - 1)).toContainEqual(first);
  expect(await store.since(at)).not.toContainEqual(first);
  const again = await store.add({ kind: 'sub', value: 'ann' });
  expect(again?.at).toBeGreaterThanOrEqual(at);
  expect(await store.since(0)).toHaveLength(2);
});

test('Only users who were seen have a last presence, and an older version does not replace a newer one', async () => {
  const store = new LastSeenStore(stores.database.getRepository(UserEntity));
  const seen = (userId: string, version: number) => ({
    ...{ userId, status: 'offline' as const, version },
    lastSeenAt: new Date(version).toISOString(),
  });
  await store.write([seen('bob', 5), seen('ann', 7)]);
  await store.write([seen('bob', 4), seen('ann', 8)]);
  const [some, none] = await Promise.all([store.read(['ann', 'nobody', 'bob']), store.read(['nobody'])]);
  expect(some).toEqual([seen('ann', 8), seen('bob', 5)]);
  expect(none).toEqual([]);
});

test('Delivered system messages leave the queue; messages of conversations and other users’ stay (P8)', async () => {
  const conversationId = newId();
  await stores.conversations.join({ conversationId, userId: 'owner' });
  await stores.conversations.addMember(conversationId, 'owner', 'cat');
  await stores.append.append(item(conversationId, 'owner', 'm1'));
  const message = { topic: null, content: 'Hello.', metadata: { a: [1, null] }, createdAt: '2026-01-01' };
  for (const userId of ['cat', 'cat', 'dan']) await stores.deliveries.addSystem(userId, message);
  const queueOf = async (userId: string) =>
    (await stores.deliveries.next({ userId, afterId: '0', live: new Map() })).items;
  const [asked, first, second] = await queueOf('cat');
  expect(first).toMatchObject({ kind: 'system', message });
  const others = await queueOf('dan');
  await stores.deliveries.deleteSystem(
    'cat',
    [asked, first, ...others].map((entry) => entry?.queueId ?? ''),
  );
  expect(await queueOf('cat')).toEqual([asked, second]);
  expect(await queueOf('dan')).toEqual(others);
});

test('A user is notified of dropped deliveries once', async () => {
  const message = { topic: null, content: 'Hello.', createdAt: '2026-01-01' };
  await stores.deliveries.addSystem('eve', message);
  await stores.admin.clear('eve');
  await stores.deliveries.addSystem('eve', message);
  const droppedOf = async () =>
    (await stores.deliveries.next({ userId: 'eve', afterId: '0', live: new Map() })).dropped;
  expect(await droppedOf()).toBe(1);
  await stores.deliveries.markNotified('eve');
  expect(await droppedOf()).toBe(0);
  const page = await stores.admin.page('eve', '0', 10);
  expect(page.map(({ kind, state, seq }) => [kind, state, seq])).toEqual([
    ['system', 'dropped', undefined],
    ['system', 'queued', undefined],
  ]);
});

test('A conversation changes by what is given, and by nothing without it', async () => {
  const id = newId();
  await stores.conversations.create(id, { userId: 'owner' }, 'Old', 'members');
  const now = async () => {
    const found = await stores.conversations.membership(id, 'owner');
    return [found?.conversation.title, found?.conversation.access];
  };
  await stores.conversations.update(id, {});
  expect(await now()).toEqual(['Old', 'members']);
  await stores.conversations.update(id, { access: 'link' });
  expect(await now()).toEqual(['Old', 'link']);
  await stores.conversations.update(id, { title: 'New' });
  expect(await now()).toEqual(['New', 'link']);
});
