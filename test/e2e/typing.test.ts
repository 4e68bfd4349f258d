import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { TestClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http.js';
import { startServer, type TestServer } from '../support/server.js';
import { share } from '../support/share.js';
import { withClient } from '../support/with-client.js';

const TYPISTS = 500;
const open: TestClient[] = [];
let server: TestServer;

beforeAll(async () => {
  server = await startServer({ env: { TYPING_TIMEOUT_MS: '1500', MAX_CONVERSATION_MEMBERS: '600' } });
});

afterEach(() => {
  for (const client of open.splice(0)) client.close();
});

afterAll(async () => {
  await server.stop();
});

async function joined(userId: string, conversationId: string): Promise<TestClient> {
  const client = await TestClient.connect(server.url, userId);
  open.push(client);
  await client.ask('conversation:join', { conversationId });
  return client;
}

/** Returns the values of `isTyping` that `client` received of `userId`, in order. */
function updatesOf(client: TestClient, userId: string): boolean[] {
  return client
    .all('typing:update')
    .filter((update) => update.userId === userId)
    .map(({ isTyping }) => isTyping);
}

async function typists(conversationId: string, userId: string): Promise<unknown> {
  return (await http(server.url, `GET /api/ws/typing/${conversationId}`, { userId })).json();
}

/** Each way in which typing ends, while `bob` types in the conversation. */
const ENDINGS: [string, (bob: TestClient, conversationId: string) => Promise<unknown>][] = [
  ['typing:stop', (bob, conversationId) => bob.ask('typing:stop', { conversationId })],
  [
    'sending',
    (bob, conversationId) =>
      bob.ask('message:send', { conversationId, clientMessageId: '1', content: 'Hello.', respond: false }),
  ],
  [
    'sending over HTTP',
    (bob, conversationId) =>
      http(server.url, `POST /api/conversations/${conversationId}/messages`, {
        userId: bob.userId,
        body: { clientMessageId: '2', content: 'Hello.', respond: false },
      }),
  ],
  ['leaving', (bob, conversationId) => bob.ask('conversation:leave', { conversationId })],
  ['disconnecting', async (bob) => bob.terminate()],
  ['expiry', async () => {}],
  [
    'the removal of the member',
    (bob, conversationId) =>
      http(server.url, `DELETE /api/conversations/${conversationId}/members/${bob.userId}`, {
        userId: 'ann',
      }),
  ],
];

test.each(ENDINGS)('The others receive one start of typing, and one end by %s (P9)', async (way, end) => {
  const id = `t-${way.replaceAll(/\W/g, '-')}`;
  await share(server.url, id, ['ann', 'bob', 'cid']);
  const ann = await joined('ann', id);
  const bob = await joined('bob', id);
  const laptop = await joined('bob', id);
  await bob.ask('typing:start', { conversationId: id });
  await ann.waitFor('typing:update', ({ isTyping }) => isTyping);
  expect(await typists(id, 'ann')).toEqual({ userIds: ['bob'] });
  expect((await ann.ask('conversation:join', { conversationId: id })).typing).toEqual(['bob']);
  await end(bob, id);
  await ann.waitFor('typing:update', ({ isTyping }) => !isTyping);
  expect(await typists(id, 'ann')).toEqual({ userIds: [] });
  // Sent after everything about bob.
  const cid = await joined('cid', id);
  await cid.ask('typing:start', { conversationId: id });
  await ann.waitFor('typing:update', ({ userId }) => userId === 'cid');
  expect(updatesOf(ann, 'bob')).toEqual([true, false]);
  expect(updatesOf(bob, 'bob')).toEqual([]);
  expect(updatesOf(laptop, 'bob')).toEqual([]);
});

test('A member can type without having joined; the ack of a join leaves out its own user', async () => {
  await share(server.url, 't-unjoined', ['ann', 'bob']);
  const ann = await joined('ann', 't-unjoined');
  const bob = await TestClient.connect(server.url, 'bob');
  open.push(bob);
  await bob.ask('typing:start', { conversationId: 't-unjoined' });
  await ann.waitFor('typing:update', ({ userId }) => userId === 'bob');
  expect((await bob.ask('conversation:join', { conversationId: 't-unjoined' })).typing).toEqual([]);
  bob.terminate();
  await ann.waitFor('typing:update', ({ isTyping }) => !isTyping);
});

test('500 members who type all the time cause no more updates than the throttle allows', async () => {
  const id = 't-many';
  const userIds = Array.from({ length: TYPISTS }, (_, index) => `typist-${index}`);
  await share(server.url, id, ['ann']);
  await withClient(server.databaseUrl, (client) =>
    client.query('insert into members (conversation_id, user_id) select $1, unnest($2::text[])', [
      id,
      userIds,
    ]),
  );
  const watcher = await joined('ann', id);
  const clients: TestClient[] = [];
  for (let from = 0; from < TYPISTS; from += 50) {
    const some = userIds.slice(from, from + 50).map((userId) => TestClient.connect(server.url, userId));
    clients.push(...(await Promise.all(some)));
  }
  open.push(...clients);
  const startedAt = Date.now();
  let asked = 0;
  while (asked < 15 || Date.now() - startedAt < 4500) {
    for (const { socket } of clients) {
      for (let more = 0; more < 4; more += 1) socket.emit('typing:start', { conversationId: id });
    }
    await Promise.all(clients.map((client) => client.ask('typing:start', { conversationId: id })));
    asked += 5;
  }
  await Promise.all(clients.map((client) => client.ask('typing:stop', { conversationId: id })));
  await eventually(
    () => userIds.every((userId) => updatesOf(watcher, userId).at(-1) === false),
    'the stop of every one who typed',
  );
  const allowed = Math.floor((Date.now() - startedAt) / 2000) + 1;
  expect(asked).toBeGreaterThan(allowed);
  for (const userId of userIds) {
    const updates = updatesOf(watcher, userId);
    expect(updates.filter((isTyping) => isTyping).length).toBeLessThanOrEqual(allowed);
    expect(updates.filter((isTyping) => !isTyping).length).toBeLessThanOrEqual(allowed);
  }
}, 90_000);
