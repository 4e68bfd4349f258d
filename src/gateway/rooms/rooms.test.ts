import { beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeSockets } from '../../../test/support/fake-sockets.js';
import type { ConversationsStore, MembershipRow } from '../../conversations/conversations.store.js';
import { MemoryRelay } from '../../platform/relay/memory-relay.js';
import { LIMITS, type Message } from '../../protocol/index.js';
import type { Connection } from '../connections/connection.js';
import { RoomEvents } from './room-events.js';
import type { DatabaseRoomSource } from './room-source.js';
import { Rooms } from './rooms.js';

const MEMBER: MembershipRow = { lastSeq: 4, name: null };

let sockets: FakeSockets;
let relay: MemoryRelay;
let events: RoomEvents;
let rooms: Rooms;
/** Runs while the database is asked whether the user is a member. */
let duringQuery: () => void;
const membership = vi.fn<() => MembershipRow | null>();
const onWritten = vi.fn<DatabaseRoomSource['onWritten']>();

beforeEach(() => {
  sockets = new FakeSockets();
  relay = new MemoryRelay();
  events = new RoomEvents();
  duringQuery = () => {};
  membership.mockReset().mockReturnValue(MEMBER);
  onWritten.mockReset();
  const store = {
    findMembership: async () => {
      await Promise.resolve();
      duringQuery();
      return membership();
    },
  };
  const source = { members: () => Promise.resolve(new Set(['ann', 'bob'])), onWritten };
  rooms = new Rooms(
    relay,
    store as Partial<ConversationsStore> as ConversationsStore,
    source as Partial<DatabaseRoomSource> as DatabaseRoomSource,
    events,
  );
});

function publishMessage(seq: number, origin?: string): void {
  const message = { conversationId: 'c', seq, senderId: 'bob', role: 'user' } as Message;
  relay.publish('conversation', 'c', {
    ...{ type: 'message', message, memberVersion: 0 },
    ...(origin !== undefined && { origin }),
  });
}

function publishRemoval(userId: string): void {
  const change = { conversationId: 'c', change: 'removed', userId } as const;
  relay.publish('conversation', 'c', { type: 'changed', change });
}

function seqsOf(connection: Connection): number[] {
  return sockets.sentTo(connection, 'message:new').map((message) => (message as Message).seq);
}

function expectNotJoined(connection: Connection): void {
  publishMessage(5);
  expect(seqsOf(connection)).toEqual([]);
  expect(connection.joined.size).toBe(0);
  expect(rooms.size).toBe(0);
}

describe('A connection that joins a room', () => {
  test('receives every message after the end of the log that the query returned (P3)', async () => {
    const ann = sockets.connect('ann');
    expect(await rooms.join(ann, 'c')).toEqual(MEMBER);
    publishMessage(5);
    expect(seqsOf(ann)).toEqual([5]);
    expect(ann.joined.get('c')).toBe(4);
  });

  test('does not stay when its socket closed during the query (P7)', async () => {
    const ann = sockets.connect('ann');
    duringQuery = () => sockets.close(ann);
    await expect(rooms.join(ann, 'c')).rejects.toMatchObject({ code: 'not_found' });
    expectNotJoined(ann);
  });

  test('does not stay when its user is removed during the query (P10)', async () => {
    const ann = sockets.connect('ann');
    duringQuery = () => publishRemoval('ann');
    await expect(rooms.join(ann, 'c')).rejects.toMatchObject({ code: 'not_found' });
    expectNotJoined(ann);
  });

  test('does not stay when its user is not a member (P10)', async () => {
    const ann = sockets.connect('ann');
    membership.mockReturnValue(null);
    expect(await rooms.join(ann, 'c')).toBeNull();
    expectNotJoined(ann);
  });

  test('does not stay when the query fails', async () => {
    const ann = sockets.connect('ann');
    membership.mockImplementation(() => {
      throw new Error('the database is unavailable');
    });
    await expect(rooms.join(ann, 'c')).rejects.toThrow('unavailable');
    expectNotJoined(ann);
  });

  test('is refused beyond the limit, but may join again what it has joined', async () => {
    const ann = sockets.connect('ann');
    for (let n = 0; n < LIMITS.joinedConversations; n += 1) ann.joined.set(`c${n}`, 0);
    await expect(rooms.join(ann, 'one more')).rejects.toMatchObject({ code: 'conflict' });
    expect(await rooms.join(ann, 'c0')).toEqual(MEMBER);
  });
});

test('A connection that is still joining counts as reached by no message, so that the queue delivers it (P8)', async () => {
  const [ann, bob] = [sockets.connect('ann', { acks: false }), sockets.connect('bob', { acks: false })];
  await rooms.join(ann, 'c');
  duringQuery = () => publishMessage(5);
  await rooms.join(bob, 'c');
  expect(onWritten.mock.calls.map(([{ userId }, { seq }]) => [userId, seq])).toEqual([['ann', 5]]);
});

test('A removed member receives nothing that is published afterwards, and others still do (P10)', async () => {
  const [ann, bob] = [sockets.connect('ann'), sockets.connect('bob')];
  const removed = vi.fn<(userId: string, conversationId: string) => void>();
  events.on('member.removed', removed);
  await rooms.join(ann, 'c');
  await rooms.join(bob, 'c');
  publishRemoval('ann');
  publishMessage(5);
  expect([seqsOf(ann), seqsOf(bob)]).toEqual([[], [5]]);
  expect(sockets.sentTo(ann, 'conversation:changed')).toEqual([]);
  expect(removed).toHaveBeenCalledExactlyOnceWith('ann', 'c');
});

test('A message is reported as posted only where no socket sent it', async () => {
  const posted: number[] = [];
  events.on('message.posted', ({ seq }) => posted.push(seq));
  await rooms.join(sockets.connect('ann'), 'c');
  publishMessage(5, 'a socket');
  publishMessage(6);
  expect(posted).toEqual([6]);
});

test('A message is not counted as written to the connection that sent it: the ack has it', async () => {
  const [ann, bob] = [sockets.connect('ann', { acks: false }), sockets.connect('bob', { acks: false })];
  for (const connection of [ann, bob]) await rooms.join(connection, 'c');
  publishMessage(5, ann.id);
  expect([seqsOf(ann), seqsOf(bob)]).toEqual([[], [5]]);
  expect(onWritten.mock.calls.map(([{ userId }]) => userId)).toEqual(['bob']);
});

test('An older end of the log, read by a later join, repeats no message (P3)', async () => {
  const ann = sockets.connect('ann');
  await rooms.join(ann, 'c');
  publishMessage(5);
  await rooms.join(sockets.connect('bob'), 'c');
  publishMessage(5);
  publishMessage(6);
  expect(seqsOf(ann)).toEqual([5, 6]);
});

test('Typing and receipts do not reach the own devices of their user', async () => {
  const [phone, laptop] = [sockets.connect('ann', { id: 'phone' }), sockets.connect('ann', { id: 'laptop' })];
  const bob = sockets.connect('bob');
  for (const connection of [phone, laptop, bob]) await rooms.join(connection, 'c');
  const ann = { conversationId: 'c', userId: 'ann' };
  relay.publish('conversation', 'c', { type: 'typing', update: { ...ann, isTyping: true } });
  relay.publish('conversation', 'c', { type: 'receipt', receipt: { ...ann, deliveredSeq: 1, readSeq: 1 } });
  for (const event of ['typing:update', 'message:receipt']) {
    const counts = [phone, laptop, bob].map((connection) => sockets.sentTo(connection, event).length);
    expect(counts, event).toEqual([0, 0, 1]);
  }
});

test('A congested socket may miss the start of typing, but never its end (P9)', async () => {
  const [ann, bob] = [sockets.connect('ann'), sockets.connect('bob')];
  for (const connection of [ann, bob]) await rooms.join(connection, 'c');
  sockets.congest(ann);
  for (const isTyping of [true, false]) {
    const update = { conversationId: 'c', userId: 'carl', isTyping };
    relay.publish('conversation', 'c', { type: 'typing', update });
  }
  expect(sockets.sentTo(ann, 'typing:update')).toMatchObject([{ isTyping: false }]);
  expect(sockets.sentTo(bob, 'typing:update')).toHaveLength(2);
});

test('A room that is closed has no timers left (P7)', async () => {
  vi.useFakeTimers();
  try {
    const ann = sockets.connect('ann');
    await rooms.join(ann, 'c');
    const receipt = { conversationId: 'c', userId: 'bob', deliveredSeq: 1, readSeq: 1 };
    relay.publish('conversation', 'c', { type: 'receipt', receipt });
    expect(vi.getTimerCount()).toBe(1);
    rooms.leave(ann, 'c');
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test('A room is closed when its last connection leaves, and leaving again changes nothing', async () => {
  const ann = sockets.connect('ann');
  const left = vi.fn<() => void>();
  await rooms.join(ann, 'c');
  events.on('room.left', left);
  rooms.leave(ann, 'c');
  rooms.leave(ann, 'c');
  expect(left).toHaveBeenCalledTimes(1);
  expectNotJoined(ann);
});
