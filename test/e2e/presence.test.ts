import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Presence } from '../../src/protocol/index.js';
import { TestClient, type ClientOptions } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http.js';
import { startServer, type TestServer } from '../support/server.js';
import { share } from '../support/share.js';

const TIMES = { PRESENCE_LEAVE_GRACE_MS: '300', PRESENCE_LEASE_MS: '2000' };
const open: TestClient[] = [];
let server: TestServer;

beforeAll(async () => {
  server = await startServer({ env: TIMES });
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

async function joined(userId: string, conversationId: string, on = server): Promise<TestClient> {
  const client = await connect(userId, {}, on);
  await client.ask('conversation:join', { conversationId });
  return client;
}

/** Returns the statuses of `userId` that `client` received, in order. */
function statusesOf(client: TestClient, userId: string): string[] {
  return client
    .all('presence:update')
    .filter((presence) => presence.userId === userId)
    .map(({ status }) => status);
}

function stateOf(ack: { presence: Presence[] }, userId: string): Presence | undefined {
  return ack.presence.find((presence) => presence.userId === userId);
}

/** Waits for a change by another user: all earlier changes have arrived before it. */
async function receivedAll(client: TestClient, by: TestClient): Promise<void> {
  const mark = { mark: `${Math.random()}` };
  await by.ask('presence:update', { status: 'busy', metadata: mark });
  await client.waitFor('presence:update', ({ metadata }) => metadata?.['mark'] === mark.mark);
  await by.ask('presence:update', { status: 'online' });
}

describe('Presence', () => {
  test('reaches each user who shares a conversation once, however many are shared: online, offline, with lastSeenAt (P9)', async () => {
    await share(server.url, 'p-one', ['ann', 'bob']);
    await share(server.url, 'p-two', ['ann', 'bob']);
    await share(server.url, 'p-else', ['eve']);
    const ann = await joined('ann', 'p-one');
    await ann.ask('conversation:join', { conversationId: 'p-two' });
    const eve = await joined('eve', 'p-else');
    const phone = await connect('bob');
    await ann.waitFor('presence:update', ({ status }) => status === 'online');
    const laptop = await connect('bob');
    const ack = await laptop.ask('conversation:join', { conversationId: 'p-one' });
    expect(stateOf(ack, 'ann')).toMatchObject({ status: 'online' });
    expect(stateOf(ack, 'bob')).toMatchObject({ status: 'online' });
    phone.terminate();
    laptop.terminate();
    const { lastSeenAt } = await ann.waitFor('presence:update', ({ status }) => status === 'offline');
    expect(Date.parse(lastSeenAt as string)).toBeGreaterThan(Date.now() - 10_000);
    const again = await connect('bob');
    await ann.waitFor(
      'presence:update',
      ({ status, version }) => status === 'online' && version > Date.parse(lastSeenAt as string),
    );
    expect(statusesOf(ann, 'bob')).toEqual(['online', 'offline', 'online']);
    expect(statusesOf(again, 'bob')).toEqual([]);
    expect(eve.all('presence:update')).toEqual([]);
  });

  test('does not flap when the device reconnects within the grace period', async () => {
    await share(server.url, 'p-flap', ['ann', 'bob-flap', 'mark']);
    const ann = await joined('ann', 'p-flap');
    const mark = await connect('mark');
    for (let round = 0; round < 4; round += 1) (await connect('bob-flap')).terminate();
    const bob = await connect('bob-flap');
    await receivedAll(ann, mark);
    expect(statusesOf(ann, 'bob-flap')).toEqual(['online']);
    bob.terminate();
    await ann.waitFor(
      'presence:update',
      ({ userId, status }) => userId === 'bob-flap' && status === 'offline',
    );
  });

  test("can be set by the user, with metadata, and reaches the user's other devices", async () => {
    await share(server.url, 'p-own', ['ann', 'bob-own']);
    const ann = await joined('ann', 'p-own');
    const phone = await connect('bob-own');
    const laptop = await connect('bob-own');
    await phone.ask('presence:update', { status: 'busy', metadata: { until: 'noon' } });
    const change = await ann.waitFor('presence:update', ({ status }) => status === 'busy');
    expect(change).toMatchObject({ userId: 'bob-own', metadata: { until: 'noon' } });
    expect(await laptop.waitFor('presence:update', ({ status }) => status === 'busy')).toEqual(change);
    await phone.ask('presence:update', { status: 'offline', metadata: { until: 'noon' } });
    const hidden = await ann.waitFor('presence:update', ({ status }) => status === 'offline');
    expect(hidden).not.toHaveProperty('metadata');
    const route = 'GET /api/ws/presence/bob-own';
    expect(await (await http(server.url, route, { userId: 'ann' })).json()).toEqual(hidden);
    phone.close();
    laptop.close();
    const back = await connect('bob-own');
    await receivedAll(ann, back);
    // Within the grace period the chosen status still holds: the reconnect is not visible.
    expect(statusesOf(ann, 'bob-own').slice(0, 4)).toEqual(['online', 'busy', 'offline', 'busy']);
    expect(phone.all('presence:update')).toEqual([]);
  });

  test('has a version that is higher in the newer of two states', async () => {
    await share(server.url, 'p-version', ['ann', 'bob-version']);
    const ann = await joined('ann', 'p-version');
    const bob = await connect('bob-version');
    const statuses = ['busy', 'away', 'online', 'busy', 'offline', 'online'] as const;
    const inAcks = await Promise.all(
      statuses.map(async (status) => {
        const done = bob.ask('presence:update', { status });
        const ack = await ann.ask('conversation:join', { conversationId: 'p-version' });
        await done;
        return stateOf(ack, 'bob-version') as Presence;
      }),
    );
    const last = await ann.waitFor(
      'presence:update',
      () => statusesOf(ann, 'bob-version').length === statuses.length + 1,
    );
    expect(last).toBeDefined();
    const states = [
      ...ann.all('presence:update').filter(({ userId }) => userId === 'bob-version'),
      ...inAcks,
    ];
    const newest = states.reduce((a, b) => (b.version > a.version ? b : a));
    expect(newest.status).toBe('online');
    const statusOf = new Map(states.map(({ version, status }) => [version, status]));
    for (const { version, status } of states) expect(statusOf.get(version)).toBe(status);
  });
});

describe('presence:watch', () => {
  test('sends changes of users in conversations that are not joined, until unwatched or no longer shared (P10)', async () => {
    await share(server.url, 'w-one', ['ann-w', 'bob-w', 'cid-w', 'mark-w']);
    const ann = await connect('ann-w');
    const { presence } = await ann.ask('presence:watch', { userIds: ['bob-w', 'cid-w', 'mark-w'] });
    expect(presence.map(({ userId, status }) => [userId, status])).toEqual([
      ...[
        ['bob-w', 'offline'],
        ['cid-w', 'offline'],
        ['mark-w', 'offline'],
      ],
    ]);
    const bob = await connect('bob-w');
    const mark = await connect('mark-w');
    await ann.waitFor('presence:update', ({ userId }) => userId === 'bob-w');
    const left = await ann.ask('presence:unwatch', { userIds: ['bob-w'] });
    expect(left.presence.map(({ userId }) => userId)).toEqual(['cid-w', 'mark-w']);
    await bob.ask('presence:update', { status: 'busy' });
    await receivedAll(ann, mark);
    expect(statusesOf(ann, 'bob-w')).toEqual(['online']);
    const removed = await http(server.url, 'DELETE /api/conversations/w-one/members/cid-w', {
      userId: 'ann-w',
    });
    expect(removed.status).toBe(204);
    const cid = await connect('cid-w');
    await cid.ask('presence:update', { status: 'busy' });
    await receivedAll(ann, mark);
    expect(statusesOf(ann, 'cid-w')).toEqual([]);
    const rest = await ann.ask('presence:unwatch', { userIds: ['bob-w'] });
    expect(rest.presence.map(({ userId }) => userId)).toEqual(['mark-w']);
  });

  test('is bounded for each connection', async () => {
    const others = Array.from({ length: 257 }, (_, index) => `w-many-${index}`);
    const ann = await connect('ann-m');
    expect(await ann.raw('presence:watch', { userIds: others })).toMatchObject({
      error: { code: 'invalid_payload' },
    });
    await expect(ann.ask('presence:watch', { userIds: ['ann-m'] })).resolves.toMatchObject({
      presence: [{ userId: 'ann-m' }],
    });
    const more = others.slice(0, 256);
    expect(await ann.raw('presence:watch', { userIds: more })).toMatchObject({ error: { code: 'conflict' } });
  });
});

test('A user without activity on any device is away, and online again with any event (P9)', async () => {
  const quick = await startServer({ env: { ...TIMES, PRESENCE_AWAY_AFTER_MS: '700' } });
  await share(quick.url, 'p-away', ['ann', 'bob']);
  const ann = await joined('ann', 'p-away', quick);
  const phone = await connect('bob', {}, quick);
  const laptop = await connect('bob', {}, quick);
  await ann.waitFor('presence:update', ({ userId, status }) => userId === 'bob' && status === 'away');
  await laptop.ask('ping', 1);
  await eventually(() => statusesOf(ann, 'bob').length >= 3, 'bob back');
  expect(statusesOf(ann, 'bob').slice(0, 3)).toEqual(['online', 'away', 'online']);
  for (const client of [ann, phone, laptop]) client.close();
  await quick.stop();
});

test('After kill -9 and a restart no disconnected user appears online, and lastSeenAt is kept (P9)', async () => {
  const first = await startServer({ env: TIMES });
  await share(first.url, 'p-kill', ['ann', 'bob', 'cid']);
  const ann = await joined('ann', 'p-kill', first);
  const cid = await connect('cid', {}, first);
  await ann.waitFor('presence:update', ({ userId }) => userId === 'cid');
  cid.close();
  const gone = await ann.waitFor(
    'presence:update',
    ({ userId, status }) => userId === 'cid' && status === 'offline',
  );
  await connect('bob', {}, first);
  await ann.waitFor('presence:update', ({ userId }) => userId === 'bob');
  await first.kill();
  const second = await first.restart();
  const again = await connect('ann', {}, second);
  const { presence } = await again.ask('conversation:join', { conversationId: 'p-kill' });
  expect(presence.map(({ userId, status }) => [userId, status])).toEqual([
    ...[
      ['ann', 'online'],
      ['bob', 'offline'],
      ['cid', 'offline'],
    ],
  ]);
  const cids = presence.find(({ userId }) => userId === 'cid');
  expect(cids?.lastSeenAt).toBe(gone.lastSeenAt);
  const route = 'GET /api/ws/presence/online';
  const online = await (await http(second.url, route, { userId: 'root', roles: ['admin'] })).json();
  expect(online).toMatchObject({ items: [{ userId: 'ann' }] });
  const stats = await (
    await http(second.url, 'GET /api/ws/stats', { userId: 'root', roles: ['admin'] })
  ).json();
  expect(stats).toMatchObject({ totalConnections: 1, uniqueUsers: 1, onlineUsers: 1, typingUsers: 0 });
  again.close();
  expect(await second.stop()).toBe(0);
});

test('A stop stores when the connected users were last seen', async () => {
  const first = await startServer({ env: TIMES });
  await share(first.url, 'p-stop', ['ann', 'bob']);
  await joined('ann', 'p-stop', first);
  await connect('bob', {}, first);
  const stoppedAt = Date.now();
  process.kill(first.pid, 'SIGTERM');
  await eventually(() => !isRunning(first.pid), 'the end of the server');
  const second = await first.restart();
  const cid = await connect('ann', {}, second);
  const { presence } = await cid.ask('conversation:join', { conversationId: 'p-stop' });
  const bob = presence.find(({ userId }) => userId === 'bob') as Presence;
  expect(bob.status).toBe('offline');
  expect(Date.parse(bob.lastSeenAt as string)).toBeGreaterThanOrEqual(stoppedAt);
  cid.close();
  expect(await second.stop()).toBe(0);
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
