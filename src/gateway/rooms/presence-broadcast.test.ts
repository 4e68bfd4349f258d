import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeSockets } from '../../../test/support/fake-sockets.js';
import { MemoryRelay } from '../../platform/relay/memory-relay.js';
import type { PresenceService } from '../../presence/presence.service.js';
import type { Pair, SharedConversationsStore } from '../../presence/shared-conversations.store.js';
import type { Presence } from '../../protocol/index.js';
import type { Connection } from '../connections/connection.js';
import { Connections } from '../connections/connections.js';
import { PresenceBroadcast } from './presence-broadcast.js';
import { PresenceSubscriptions } from './presence-subscriptions.js';
import { RoomEvents } from './room-events.js';
import { conversationRoom } from './room.js';
import type { Rooms } from './rooms.js';

const FLUSH_MS = 500;

let sockets: FakeSockets;
let relay: MemoryRelay;
let events: RoomEvents;
let connections: Connections;
let subscriptions: PresenceSubscriptions;
let broadcast: PresenceBroadcast;
/** Connections in each room, as far as the write budget knows. */
let audience: number;
const share = vi.fn<(pairs: readonly Pair[]) => Promise<boolean[]>>();

beforeEach(() => {
  vi.useFakeTimers();
  sockets = new FakeSockets();
  relay = new MemoryRelay();
  events = new RoomEvents();
  connections = new Connections();
  audience = 1;
  share.mockReset().mockImplementation((pairs) => Promise.resolve(pairs.map(() => true)));
  const store = { share } as Partial<SharedConversationsStore> as SharedConversationsStore;
  const presence = { of: () => Promise.resolve([]) } as Partial<PresenceService> as PresenceService;
  subscriptions = new PresenceSubscriptions(presence, store);
  const rooms = { audience: () => audience, has: () => true } as Partial<Rooms> as Rooms;
  broadcast = new PresenceBroadcast(relay, rooms, subscriptions, connections, events);
  broadcast.onModuleInit();
});

afterEach(() => {
  broadcast.onApplicationShutdown();
  vi.useRealTimers();
});

function connect(userId: string, conversationId?: string): Connection {
  const connection = sockets.connect(userId);
  connections.onConnect(connection);
  if (conversationId !== undefined) void connection.socket.join(conversationRoom(conversationId));
  return connection;
}

function publishChange(userId: string, conversationIds: string[], origin?: string): void {
  const presence: Presence = { userId, status: 'online', lastSeenAt: null, version: 1 };
  relay.publish('presence', 'all', { presence, conversationIds, ...(origin !== undefined && { origin }) });
}

function usersSentTo(connection: Connection): string[] {
  return sockets.sentTo(connection, 'presence:update').map((presence) => (presence as Presence).userId);
}

test('A waiting change is not sent to a conversation that its user has left (P10)', () => {
  const [inLeft, inKept] = [connect('carl', 'left'), connect('dora', 'kept')];
  audience = 10_000;
  publishChange('ann', ['kept']);
  publishChange('bob', ['left', 'kept']);
  events.emit('member.removed', 'bob', 'left');
  vi.advanceTimersByTime(10 * FLUSH_MS);
  expect(usersSentTo(inLeft)).toEqual([]);
  expect(usersSentTo(inKept)).toEqual(['ann', 'bob']);
});

test('A change is not sent to a conversation that its user leaves while the subscribers are checked (P10)', async () => {
  const [subscriber, inLeft] = [connect('ann'), connect('carl', 'left')];
  await subscriptions.subscribe(subscriber, ['bob', 'eve']);
  let finish = (): void => {};
  share.mockImplementationOnce(
    (pairs) => new Promise((resolve) => (finish = () => resolve(pairs.map(() => true)))),
  );
  publishChange('bob', ['left']);
  publishChange('eve', ['left']);
  for (const userId of ['bob', 'eve']) events.emit('member.removed', userId, 'left');
  finish();
  await vi.advanceTimersByTimeAsync(FLUSH_MS);
  expect([subscriber, inLeft].map(usersSentTo)).toEqual([['bob', 'eve'], []]);
});

test('A subscriber receives a change only while both users share a conversation (P10)', async () => {
  const [ann, bob] = [connect('ann'), connect('bob')];
  for (const connection of [ann, bob]) await subscriptions.subscribe(connection, ['eve']);
  share.mockImplementation((pairs) => Promise.resolve(pairs.map(([userId]) => userId === 'ann')));
  publishChange('eve', []);
  await vi.advanceTimersByTimeAsync(FLUSH_MS);
  expect([usersSentTo(ann), usersSentTo(bob)]).toEqual([['eve'], []]);
});

test('Where the check of subscribers fails, only rooms and own devices receive the change (P10)', async () => {
  const [subscriber, inRoom, own] = [connect('ann'), connect('bob', 'c'), connect('eve')];
  await subscriptions.subscribe(subscriber, ['eve']);
  share.mockRejectedValue(new Error('the database is unavailable'));
  publishChange('eve', ['c']);
  await vi.advanceTimersByTimeAsync(FLUSH_MS);
  expect([subscriber, inRoom, own].map(usersSentTo)).toEqual([[], ['eve'], ['eve']]);
});

test('Changes keep their order while subscribers are checked', async () => {
  const ann = connect('ann', 'c');
  await subscriptions.subscribe(ann, ['eve']);
  publishChange('eve', []);
  publishChange('bob', ['c']);
  publishChange('carl', ['c']);
  await vi.advanceTimersByTimeAsync(FLUSH_MS);
  expect(usersSentTo(ann)).toEqual(['eve', 'bob', 'carl']);
});

test('A change without audience on this node is sent to nobody (P10)', () => {
  const ann = connect('ann');
  publishChange('eve', []);
  expect(usersSentTo(ann)).toEqual([]);
});

test('A connection that is in the room and subscribes receives a change once, and its cause not at all', async () => {
  const [ann, eve] = [connect('ann', 'c'), connect('eve', 'c')];
  await subscriptions.subscribe(ann, ['eve']);
  publishChange('eve', ['c'], eve.id);
  await vi.advanceTimersByTimeAsync(FLUSH_MS);
  expect([usersSentTo(ann), usersSentTo(eve)]).toEqual([['eve'], []]);
});

test('A socket that closes while its subscription is checked is not subscribed (P7)', async () => {
  const ann = connect('ann');
  share.mockImplementation((pairs) => {
    sockets.close(ann);
    return Promise.resolve(pairs.map(() => true));
  });
  await subscriptions.subscribe(ann, ['eve']);
  expect(subscriptions.size).toEqual({ users: 0, connections: 0 });
});

test('A subscription to several users is refused as a whole where one is a stranger (P10)', async () => {
  const ann = connect('ann');
  share.mockImplementation((pairs) => Promise.resolve(pairs.map(([, other]) => other !== 'stranger')));
  await expect(subscriptions.subscribe(ann, ['eve', 'stranger'])).rejects.toMatchObject({
    code: 'not_found',
  });
  expect(subscriptions.size).toEqual({ users: 0, connections: 0 });
});
