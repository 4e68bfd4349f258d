import { beforeEach, expect, test, vi } from 'vitest';
import { FakeSockets } from '../../../test/support/fake-sockets.js';
import { notFound } from '../../common/domain-error.js';
import type { ConversationsService } from '../../conversations/conversations.service.js';
import { LIMITS, type Message } from '../../protocol/index.js';
import type { TypingService } from '../../typing/typing.service.js';
import { JOINING, type Connection } from '../connections/connection.js';
import { ConnectionTyping } from './connection-typing.js';
import { RoomEvents } from './room-events.js';

const start = vi.fn<TypingService['start']>();
const stop = vi.fn<TypingService['stop']>();
const stopSoon = vi.fn<TypingService['stopSoon']>();
/** The query whether the user is a member. */
const requireMember = vi.fn<() => Promise<void>>();

let sockets: FakeSockets;
let ann: Connection;
let events: RoomEvents;
let typing: ConnectionTyping;

beforeEach(() => {
  for (const mock of [start, stop, stopSoon]) mock.mockReset();
  requireMember.mockReset().mockResolvedValue();
  sockets = new FakeSockets();
  ann = sockets.connect('ann', { id: 'phone' });
  events = new RoomEvents();
  const service: Partial<TypingService> = { start, stop, stopSoon };
  const conversations: unknown = { require: requireMember };
  typing = new ConnectionTyping(service as TypingService, conversations as ConversationsService, events);
});

test('A socket that closes while its user is checked starts no indicator (P9)', async () => {
  requireMember.mockImplementation(() => {
    sockets.close(ann);
    return Promise.resolve();
  });
  await typing.start(ann, 'c');
  expect(start).not.toHaveBeenCalled();
  expect(ann.typingIn.size).toBe(0);
});

test.each(['start', 'stop'] as const)(
  'While a connection joins, typing:%s checks its user (P10)',
  async (event) => {
    ann.joined.set('c', JOINING);
    requireMember.mockRejectedValue(notFound());
    await expect(typing[event](ann, 'c')).rejects.toMatchObject({ code: 'not_found' });
    expect(start).not.toHaveBeenCalled();
    expect(stop).not.toHaveBeenCalled();
    ann.joined.set('c', 4);
    await typing[event](ann, 'c');
  },
);

test('Leaving ends what the connection types there, and nothing else', async () => {
  await typing.start(ann, 'c');
  events.emit('room.left', ann, 'elsewhere');
  expect(stopSoon).not.toHaveBeenCalled();
  events.emit('room.left', ann, 'c');
  events.emit('room.left', ann, 'c');
  expect(stopSoon.mock.calls).toEqual([[{ conversationId: 'c', userId: 'ann', connectionId: 'phone' }]]);
});

test('Disconnecting ends everything that the connection types (P9)', async () => {
  await typing.start(ann, 'c');
  await typing.start(ann, 'd');
  typing.onDisconnect(ann);
  expect(stopSoon.mock.calls.map(([{ conversationId }]) => conversationId)).toEqual(['c', 'd']);
  expect(ann.typingIn.size).toBe(0);
});

test('A removed member stops typing on all devices (P10)', () => {
  events.emit('member.removed', 'ann', 'c');
  expect(stopSoon.mock.calls).toEqual([[{ conversationId: 'c', userId: 'ann' }]]);
});

test('A posted message ends the indicator of its sender; an answer ends none', () => {
  const message = { conversationId: 'c', senderId: 'ann' } as Message;
  events.emit('message.posted', { ...message, role: 'assistant' });
  expect(stopSoon).not.toHaveBeenCalled();
  events.emit('message.posted', { ...message, role: 'user' });
  expect(stopSoon.mock.calls).toEqual([[{ conversationId: 'c', userId: 'ann' }]]);
});

test('Sending ends the indicator of the user, and a malformed payload ends none (P11)', () => {
  for (const payload of [undefined, null, 'c', { conversationId: 7 }]) typing.onSend(ann, payload);
  expect(stopSoon).not.toHaveBeenCalled();
  typing.onSend(ann, { conversationId: 'c' });
  expect(stopSoon.mock.calls).toEqual([[{ conversationId: 'c', userId: 'ann' }]]);
});

test('A connection remembers a bounded number of conversations in which it types (P7)', async () => {
  for (let n = 0; n <= LIMITS.joinedConversations; n += 1) await typing.start(ann, `c${n}`);
  expect(ann.typingIn.size).toBe(LIMITS.joinedConversations);
});
