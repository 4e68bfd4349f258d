import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Problem, WireError } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { http } from '../support/http.js';
import { startServer, type TestServer } from '../support/server.js';
import { share } from '../support/share.js';

/** Ids that a stranger asks for: of others, or missing. */
interface Named {
  conversationId: string;
  userId: string;
  connectionId: string;
}

const MISSING: Named = { conversationId: 'nowhere', userId: 'nobody', connectionId: 'no-such-connection' };

let server: TestServer;
let ann: TestClient;
let eve: TestClient;
let foreign: Named;

beforeAll(async () => {
  server = await startServer({ env: { PRESENCE_LEAVE_GRACE_MS: '0' } });
  await share(server.url, 'private', ['ann', 'bob']);
  await share(server.url, 'elsewhere', ['eve']);
  ann = await TestClient.connect(server.url, 'ann');
  eve = await TestClient.connect(server.url, 'eve');
  await ann.ask('conversation:join', { conversationId: 'private' });
  await ann.ask('typing:start', { conversationId: 'private' });
  await eve.ask('conversation:join', { conversationId: 'elsewhere' });
  foreign = { conversationId: 'private', userId: 'ann', connectionId: ann.socket.id as string };
});

afterAll(async () => {
  for (const client of [ann, eve]) client.close();
  await server.stop();
});

const EVENTS: [string, (named: Named) => object][] = [
  ['conversation:leave', ({ conversationId }) => ({ conversationId })],
  ['typing:start', ({ conversationId }) => ({ conversationId })],
  ['typing:stop', ({ conversationId }) => ({ conversationId })],
  ['presence:watch', ({ userId }) => ({ userIds: [userId] })],
  ['presence:watch', ({ userId }) => ({ userIds: ['eve', userId] })],
];

test.each(EVENTS)(
  '%s gives a stranger the same error for foreign and for missing ids (P10)',
  async (event, payload) => {
    const results = await Promise.all(
      [foreign, MISSING].map(async (named) => eve.raw(event, payload(named))),
    );
    const errors = results.map((ack) => (ack.ok ? null : comparable(ack.error)));
    expect(errors[0]).toMatchObject({ code: 'not_found' });
    expect(errors[1]).toEqual(errors[0]);
  },
);

test('typing:start of a stranger is not_found, and reaches nobody, also while the stranger tries to join (P10)', async () => {
  const { conversationId } = foreign;
  for (let n = 0; n < 20; n += 1) {
    const [joining, typing] = await Promise.all([
      eve.raw('conversation:join', { conversationId }),
      eve.raw('typing:start', { conversationId }),
    ]);
    expect([joining, typing]).toMatchObject([
      { error: { code: 'not_found' } },
      { error: { code: 'not_found' } },
    ]);
  }
  await ann.ask('ping', 1);
  expect(ann.all('typing:update').filter(({ userId }) => userId === 'eve')).toEqual([]);
});

const ROUTES: [`GET ${string}` | `DELETE ${string}`][] = [
  ['GET /api/ws/presence/:userId'],
  ['GET /api/ws/typing/:conversationId'],
  ['GET /api/ws/connections/:userId'],
  ['GET /api/ws/connections/conversation/:conversationId'],
  ['DELETE /api/ws/connections/:connectionId'],
];

test.each(ROUTES)(
  '%s gives a stranger the same error for foreign and for missing ids (P10)',
  async (route) => {
    const results = await Promise.all(
      [foreign, MISSING].map(async ({ conversationId, userId, connectionId }) => {
        const path = route
          .replace(':conversationId', conversationId)
          .replace(':userId', userId)
          .replace(':connectionId', connectionId) as typeof route;
        const response = await http(server.url, path, { userId: 'eve' });
        return { status: response.status, body: comparable((await response.json()) as Problem) };
      }),
    );
    expect(results[0]).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(results[1]).toEqual(results[0]);
  },
);

test.each(['GET /api/ws/presence/online', 'GET /api/ws/stats'] as const)(
  '%s is for admins',
  async (route) => {
    expect((await http(server.url, route, { userId: 'ann' })).status).toBe(403);
  },
);

test('presence:unwatch of strangers changes nothing and reveals nothing', async () => {
  for (const { userId } of [foreign, MISSING]) {
    expect(await eve.ask('presence:unwatch', { userIds: [userId] })).toMatchObject({ presence: [] });
  }
});

test('the disconnect of a user without shared conversations reaches nobody (P10)', async () => {
  const zed = await TestClient.connect(server.url, 'zed');
  zed.close();
  const state = async () => (await http(server.url, 'GET /api/ws/presence/zed', { userId: 'zed' })).json();
  await expect.poll(state).toMatchObject({ status: 'offline' });
  await eve.ask('ping', 1);
  expect(eve.all('presence:update').filter(({ userId }) => userId === 'zed')).toEqual([]);
});

test('a stranger receives no events of a foreign conversation', async () => {
  await ann.ask('presence:update', { status: 'busy' });
  await ann.ask('typing:stop', { conversationId: 'private' });
  await ann.ask('message:send', {
    conversationId: 'private',
    clientMessageId: '1',
    content: 'Hi.',
    respond: false,
  });
  const bob = await TestClient.connect(server.url, 'bob');
  await ann.waitFor('presence:update', ({ userId }) => userId === 'bob');
  bob.close();
  expect(await eve.ask('ping', 1)).toMatchObject({ echo: 1 });
  expect([...new Set(eve.heard.map(({ event }) => event))]).toEqual(['connection:status']);
});

/** Returns an error without the parts that differ each time. */
function comparable<T extends WireError | Problem>({ correlationId, ...rest }: T): Omit<T, 'correlationId'> {
  expect(correlationId).not.toBe('');
  return rest;
}
