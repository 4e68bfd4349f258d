import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { io, type Socket } from 'socket.io-client';
import { Connections } from '../../src/gateway/connections/connections.js';
import { IdleTimeouts } from '../../src/gateway/engine/idle-timeouts.js';
import { Rooms } from '../../src/gateway/rooms/rooms.js';
import { TopicRooms } from '../../src/gateway/rooms/topic-rooms.js';
import { PresenceSubscriptions } from '../../src/gateway/rooms/presence-subscriptions.js';
import type { MemoryPresenceLeases } from '../../src/presence/leases/memory-presence-leases.js';
import { PresenceLeases } from '../../src/presence/leases/presence-leases.js';
import { SOCKET_PATH, type Presence } from '../../src/protocol/index.js';
import { ConnectionRegistry } from '../../src/presence/registry/connection-registry.js';
import type { MemoryConnectionRegistry } from '../../src/presence/registry/memory-connection-registry.js';
import { StatsService } from '../../src/operations/stats/stats.service.js';
import type { MemoryTypingIndicators } from '../../src/typing/memory-typing-indicators.js';
import { TypingIndicators } from '../../src/typing/typing-indicators.js';
import { startApp, type TestApp } from '../support/app.js';
import { TestClient, tokenFor } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { withClient } from '../support/with-client.js';

const USERS = 300;
const CONNECTIONS = 2000;
const CONCURRENT = 60;
/** Users that each watcher subscribes to. */
const HALL = 150;
const EVENTS_PER_SECOND = 500;

const userIds = Array.from({ length: USERS }, (_, index) => `u${index}`);
let service: TestApp;
let tokens: string[];

beforeAll(async () => {
  service = await startApp({
    ...{ PRESENCE_LEAVE_GRACE_MS: '150', TYPING_TIMEOUT_MS: '1000', CONNECTION_IDLE_TIMEOUT_MS: '600000' },
    ...{ MAX_CONNECTIONS_PER_USER: '1000', RATE_LIMIT_ENABLED: 'false', AUTH_REQUIRED: 'true' },
  });
  tokens = await Promise.all(userIds.map((userId) => tokenFor(userId)));
  await withClient(service.databaseUrl, async (client) => {
    // Rooms of ten users, and two halls with a watcher each.
    await client.query(`
      with places as (
        select 'room-' || i % 30 as c, 'u' || i as u from generate_series(0, ${USERS - 1}) i
        union all select 'hall-' || i / ${HALL}, 'u' || i from generate_series(0, ${USERS - 1}) i
        union all select 'hall-' || i, 'watcher-' || i from generate_series(0, 1) i),
      made as (insert into conversations (id) select distinct c from places)
      insert into members (conversation_id, user_id) select c, u from places`);
  });
});

afterAll(async () => {
  await service.stop();
});

/** Everything that must be 0 when nobody is connected. */
function left(): Record<string, unknown> {
  const { app } = service;
  return {
    connections: app.get(Connections, { strict: false }).size,
    rooms: app.get(Rooms, { strict: false }).size,
    subscriptions: app.get(PresenceSubscriptions, { strict: false }).size,
    topics: app.get(TopicRooms, { strict: false }).size,
    idle: app.get(IdleTimeouts, { strict: false }).size,
    presence: app.get<PresenceLeases, MemoryPresenceLeases>(PresenceLeases, { strict: false }).size,
    typing: app.get<TypingIndicators, MemoryTypingIndicators>(TypingIndicators, { strict: false }).size,
    registry: app.get<ConnectionRegistry, MemoryConnectionRegistry>(ConnectionRegistry, { strict: false })
      .size,
  };
}

const NOTHING = {
  ...{ connections: 0, rooms: 0, idle: 0 },
  subscriptions: { users: 0, connections: 0 },
  topics: { topics: 0, connections: 0 },
  presence: { users: 0, due: 0 },
  typing: { conversations: 0, due: 0 },
  registry: { connections: 0, users: 0, conversations: 0, leases: 0 },
};

function timers(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
}

function pick<T>(items: readonly T[]): T {
  return items[Math.floor(Math.random() * items.length)] as T;
}

/** Picks a random event for the client of user `index`. */
function someEvent(index: number): [string, object] {
  const conversationId = pick([`room-${index % 30}`, `hall-${Math.floor(index / HALL)}`]);
  return pick<[string, object]>([
    ['conversation:join', { conversationId }],
    ['conversation:leave', { conversationId }],
    ['typing:start', { conversationId }],
    ['typing:start', { conversationId }],
    ['typing:stop', { conversationId }],
    ['topic:subscribe', { topics: [`t${index % 7}`] }],
    ['presence:watch', { userIds: [`u${(index + 30) % USERS}`] }],
    ['presence:watch', { userIds: ['nobody'] }],
    [
      'message:send',
      { conversationId, clientMessageId: `${Math.random()}`, content: 'Hello.', respond: false },
    ],
    ['ping', {}],
  ]);
}

async function connect(index: number): Promise<Socket> {
  const socket = io(service.url, {
    ...{ path: SOCKET_PATH, transports: ['websocket'], reconnection: false, forceNew: true },
    auth: { token: tokens[index] },
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('connect_error', reject);
  });
  return socket;
}

/** Disconnects; half of the clients cut the transport, with requests in progress. */
function go(socket: Socket): void {
  const { transport } = socket.io.engine as unknown as { transport: { ws: { terminate(): void } } };
  if (Math.random() < 0.5) transport.ws.terminate();
  socket.disconnect();
}

interface Churn {
  connected: number;
  events: number;
  startedAt: number;
}

/** Connects as a random user, sends a few events and disconnects, until there were enough connections. */
async function churnOnce(churn: Churn): Promise<void> {
  while (churn.connected < CONNECTIONS) {
    churn.connected += 1;
    const index = Math.floor(Math.random() * USERS);
    const socket = await connect(index);
    for (let more = Math.floor(Math.random() * 6); more > 0; more -= 1) {
      socket.emit(...someEvent(index), () => {});
      churn.events += 1;
      // Keeps all clients together at the overall rate.
      const aheadMs = (churn.events / EVENTS_PER_SECOND) * 1000 - (Date.now() - churn.startedAt);
      await delay(Math.max(0, aheadMs));
    }
    go(socket);
  }
}

test('2000 connections of 300 users open and close at random, and leave nothing in memory (P7, P9)', async () => {
  const timersBefore = timers();
  const watchers = await Promise.all(
    [0, 1].map((hall) => TestClient.connect(service.url, `watcher-${hall}`)),
  );
  for (const [hall, watcher] of watchers.entries()) {
    await watcher.ask('presence:watch', { userIds: userIds.slice(hall * HALL, (hall + 1) * HALL) });
  }
  const lost: unknown[] = [];
  for (const watcher of watchers) watcher.socket.on('disconnect', (reason) => lost.push(reason));
  const churn = { connected: 0, events: 0, startedAt: Date.now() };
  await Promise.all(Array.from({ length: CONCURRENT }, () => churnOnce(churn)));
  expect(churn.connected).toBeGreaterThanOrEqual(CONNECTIONS);
  expect([...lost, ...watchers.flatMap((watcher) => watcher.all('connection:closing'))]).toEqual([]);

  const stats = service.app.get(StatsService, { strict: false });
  const rest = {
    totalConnections: 2,
    uniqueUsers: 2,
    activeConversations: 0,
    typingUsers: 0,
    onlineUsers: 2,
  };
  await expect.poll(() => stats.read(), { timeout: 30_000 }).toMatchObject(rest);
  const heard = (userId: string): string[] =>
    watchers.flatMap((watcher) => statuses(watcher.all('presence:update'), userId));
  await eventually(() => userIds.every((userId) => heard(userId).at(-1) !== 'online'), 'the last offline');
  for (const watcher of watchers) watcher.close();
  await expect.poll(left, { timeout: 15_000 }).toEqual(NOTHING);
  await eventually(() => timers() <= timersBefore, 'the timers to be gone');

  let changes = 0;
  for (const userId of userIds) {
    const told = heard(userId);
    expect(told).toEqual(told.map((_, index) => (index % 2 === 0 ? 'online' : 'offline')));
    expect(told.at(-1) ?? 'offline').toBe('offline');
    changes += told.length;
  }
  expect(changes).toBeGreaterThan(USERS);
}, 150_000);

function statuses(states: readonly Presence[], userId: string): string[] {
  return states.filter((state) => state.userId === userId).map(({ status }) => status);
}
