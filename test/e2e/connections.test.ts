import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { io } from 'socket.io-client';
import { SOCKET_PATH, type ConnectionInfo } from '../../src/protocol/index.js';
import type { Stats } from '../../src/operations/stats/stats.service.js';
import { TestClient, tokenFor, type ClientOptions } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http.js';
import { startServer, type TestServer } from '../support/server.js';
import { share } from '../support/share.js';
import { withClient } from '../support/with-client.js';

const open: TestClient[] = [];
let server: TestServer;

beforeAll(async () => {
  server = await startServer({ env: { PRESENCE_LEAVE_GRACE_MS: '200' } });
});

afterEach(() => {
  for (const client of open.splice(0)) client.close();
});

afterAll(async () => {
  await server.stop();
});

async function connect(userId: string, options: ClientOptions = {}, on = server): Promise<TestClient> {
  const client = await TestClient.connect(on.url, userId, options);
  open.push(client);
  return client;
}

async function list(route: string, userId: string, roles: string[] = []): Promise<ConnectionInfo[]> {
  const response = await http(server.url, `GET /api/ws/connections/${route}`, { userId, roles });
  return ((await response.json()) as { items: ConnectionInfo[] }).items;
}

async function stats(on = server): Promise<Stats> {
  const response = await http(on.url, 'GET /api/ws/stats', { userId: 'root', roles: ['admin'] });
  return (await response.json()) as Stats;
}

describe('The registry of connections', () => {
  test('lists each connection with device, transport, times, address and user agent', async () => {
    const phone = await connect('ann', { deviceId: 'phone' });
    await connect('ann', { deviceId: 'laptop', transports: ['polling'] });
    const status = await phone.waitFor('connection:status');
    const items = await list('ann', 'ann');
    const mine = items.find(({ deviceId }) => deviceId === 'phone') as ConnectionInfo;
    expect(mine).toMatchObject({ connectionId: status.connectionId, userId: 'ann', transport: 'websocket' });
    expect(mine.address).toMatch(/127\.0\.0\.1/);
    expect(Date.parse(mine.connectedAt)).toBeLessThanOrEqual(Date.now());
    expect(items.map(({ transport }) => transport).toSorted()).toEqual(['polling', 'websocket']);
    await eventually(async () => {
      await phone.ask('ping', 1);
      const now = (await list('ann', 'ann')).find(({ deviceId }) => deviceId === 'phone') as ConnectionInfo;
      return Date.parse(now.lastActivityAt) > Date.parse(mine.connectedAt);
    }, 'a later activity');
    expect((await list('ann', 'root', ['admin'])).length).toBe(2);
    const page = await http(server.url, 'GET /api/ws/connections/ann?limit=1', { userId: 'ann' });
    const { items: first, nextCursor } = (await page.json()) as {
      items: ConnectionInfo[];
      nextCursor: string;
    };
    const rest = await list(`ann?limit=1&cursor=${encodeURIComponent(nextCursor)}`, 'ann');
    expect([...first, ...rest].map(({ connectionId }) => connectionId)).toEqual(
      items.map(({ connectionId }) => connectionId),
    );
  });

  test('shows an upgrade from polling to WebSocket', async () => {
    await connect('ann-up', { transports: ['polling', 'websocket'] });
    await eventually(
      async () => (await list('ann-up', 'ann-up'))[0]?.transport === 'websocket',
      'the upgrade',
    );
  });

  test('shows members the joined connections, without addresses of others and without invisible users (P10)', async () => {
    await share(server.url, 'r-one', ['ann', 'bob', 'cid']);
    const [ann, bob, cid] = [await connect('ann'), await connect('bob'), await connect('cid')];
    for (const client of [ann, bob, cid]) await client.ask('conversation:join', { conversationId: 'r-one' });
    await cid.ask('presence:update', { status: 'offline' });
    const seen = await list('conversation/r-one', 'ann');
    expect(seen.map(({ userId }) => userId).toSorted()).toEqual(['ann', 'bob']);
    const others = seen.filter(({ userId }) => userId !== 'ann');
    expect(others.map(({ address, userAgent }) => [address, userAgent])).toEqual([[undefined, undefined]]);
    expect(seen.find(({ userId }) => userId === 'ann')?.address).toBeDefined();
    expect((await list('conversation/r-one', 'cid')).map(({ userId }) => userId)).toContain('cid');
    const all = await list('conversation/r-one', 'root', ['admin']);
    expect(all.map(({ address }) => address !== undefined)).toEqual([true, true, true]);
    await bob.ask('conversation:leave', { conversationId: 'r-one' });
    expect((await list('conversation/r-one', 'ann')).map(({ userId }) => userId)).toEqual(['ann']);
  });

  test('lets a user close its own connections, but no others, and the client stays away', async () => {
    const phone = await connect('ann-close', { reconnection: true });
    const laptop = await connect('ann-close');
    const connectionId = phone.socket.id as string;
    const foreign = await http(server.url, `DELETE /api/ws/connections/${connectionId}`, { userId: 'eve' });
    expect(foreign.status).toBe(404);
    const gone = new Promise((resolve) => phone.socket.once('disconnect', resolve));
    const closed = await http(server.url, `DELETE /api/ws/connections/${connectionId}`, {
      userId: 'ann-close',
    });
    expect(closed.status).toBe(204);
    expect(await gone).toBe('io server disconnect');
    expect(phone.all('connection:closing')).toMatchObject([{ code: 'forbidden' }]);
    expect(await laptop.ask('ping', 1)).toMatchObject({ echo: 1 });
    await eventually(async () => (await list('ann-close', 'ann-close')).length === 1, 'one connection left');
  });
});

test('The figures agree with the sockets and the database whenever nothing is in progress', async () => {
  const fresh = await startServer({ env: { PRESENCE_LEAVE_GRACE_MS: '200', TYPING_TIMEOUT_MS: '60000' } });
  const guest = await fetch(`${fresh.url}/api/auth/guest`, { method: 'POST' });
  const { token } = (await guest.json()) as { token: string };
  await share(fresh.url, 's-one', ['ann', 'bob', 'cid']);
  await share(fresh.url, 's-two', ['ann', 'bob']);
  const ann = await connect('ann', {}, fresh);
  const phone = await connect('bob', {}, fresh);
  const laptop = await connect('bob', {}, fresh);
  await connect('guest', { token }, fresh);
  for (const client of [ann, phone]) await client.ask('conversation:join', { conversationId: 's-one' });
  await laptop.ask('conversation:join', { conversationId: 's-two' });
  await ann.ask('typing:start', { conversationId: 's-one' });
  await phone.ask('presence:update', { status: 'offline' });
  for (const content of ['a', 'b', 'c']) {
    await phone.ask('message:send', {
      conversationId: 's-one',
      clientMessageId: content,
      content,
      respond: false,
    });
  }
  const expected = {
    ...{ totalConnections: 4, authenticatedConnections: 3, uniqueUsers: 3, activeConversations: 2 },
    ...{ typingUsers: 1, onlineUsers: 2 },
  };
  const full = await stats(fresh);
  expect(full).toMatchObject(expected);
  expect(full.node).toMatchObject({ totalConnections: 4, uniqueUsers: 3, activeConversations: 2 });
  await agreesOnTheQueue(fresh);
  phone.terminate();
  laptop.terminate();
  await ann.ask('typing:stop', { conversationId: 's-one' });
  const rest = {
    totalConnections: 2,
    uniqueUsers: 2,
    activeConversations: 1,
    typingUsers: 0,
    onlineUsers: 2,
  };
  await eventually(
    async () => JSON.stringify(await stats(fresh)).includes('"totalConnections":2'),
    'bob gone',
  );
  expect(await stats(fresh)).toMatchObject(rest);
  for (const client of open) client.close();
  await eventually(async () => (await stats(fresh)).onlineUsers === 0, 'nobody online');
  const nobody = { totalConnections: 0, uniqueUsers: 0, activeConversations: 0, typingUsers: 0 };
  expect(await stats(fresh)).toMatchObject(nobody);
  await agreesOnTheQueue(fresh);
  await fresh.stop();
});

async function agreesOnTheQueue(on: TestServer): Promise<void> {
  await eventually(async () => {
    const { rows } = await withClient(on.databaseUrl, (client) =>
      client.query<{ queued: number; users: number }>(
        'select count(*)::int as queued, count(distinct user_id)::int as users from deliveries',
      ),
    );
    const { queued = -1, users = -1 } = rows[0] ?? {};
    const { queue } = await stats(on);
    return queue.queued === queued && queue.users === users && queue.average === (users ? queued / users : 0);
  }, 'figures that agree');
}

test('An idle connection is closed, its client reconnects by itself, and any event keeps a connection open', async () => {
  const strict = await startServer({ env: { CONNECTION_IDLE_TIMEOUT_MS: '800' } });
  const busy = await connect('busy', { reconnection: true }, strict);
  const pinging = setInterval(() => busy.socket.emit('ping', 1), 100);
  const idle = await connect('idle', { reconnection: true }, strict);
  const closing = await idle.waitFor('connection:closing');
  expect(closing).toMatchObject({ code: 'idle_timeout', retryable: true });
  await eventually(() => idle.all('connection:status').length >= 2, 'the client back');
  clearInterval(pinging);
  expect(busy.all('connection:closing')).toEqual([]);
  for (const client of [busy, idle]) client.close();
  await strict.stop();
});

test('The heartbeat finds a dead peer, and its user goes offline (P9)', async () => {
  const env = { HEARTBEAT_INTERVAL_MS: '300', HEARTBEAT_TIMEOUT_MS: '300', PRESENCE_LEAVE_GRACE_MS: '100' };
  const quick = await startServer({ env });
  await share(quick.url, 'h-one', ['ann', 'dead']);
  const ann = await connect('ann', {}, quick);
  await ann.ask('conversation:join', { conversationId: 'h-one' });
  const dead = io(quick.url, {
    ...{ path: SOCKET_PATH, transports: ['websocket'], reconnection: false, forceNew: true },
    auth: { token: await tokenFor('dead') },
  });
  await ann.waitFor('presence:update', ({ userId, status }) => userId === 'dead' && status === 'online');
  // The client neither answers pings nor closes.
  const engine = dead.io.engine as unknown as { _sendPacket: () => void };
  engine._sendPacket = () => {};
  await ann.waitFor('presence:update', ({ userId, status }) => userId === 'dead' && status === 'offline');
  dead.disconnect();
  ann.close();
  await quick.stop();
});
