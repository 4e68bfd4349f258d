import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeSockets } from '../../../test/support/fake-sockets.js';
import type { ConversationsService } from '../../conversations/conversations.service.js';
import { LIMITS } from '../../protocol/index.js';
import type { Connection } from '../connections/connection.js';
import type { JoinSnapshot } from './join-snapshot.js';
import { JoinService } from './join.service.js';
import type { QueueDeliveryService } from './queue-delivery.service.js';
import type { Rooms } from './rooms.js';

const JOIN = { conversationId: 'c' };
const MAX_CONCURRENT_JOINS = 100;

const joinRoom = vi.fn<Rooms['join']>();
const leaveRoom = vi.fn<Rooms['leave']>();
const enter = vi.fn<ConversationsService['enter']>();
const requireMember = vi.fn<() => Promise<void>>();
const read = vi.fn<() => Promise<void>>();
const wake = vi.fn<QueueDeliveryService['wake']>();

let sockets: FakeSockets;
let ann: Connection;
let joins: JoinService;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  for (const mock of [wake, enter, read, requireMember]) mock.mockReset();
  joinRoom.mockReset().mockImplementation(({ joined }, conversationId) => {
    joined.set(conversationId, 4);
    return Promise.resolve({ lastSeq: 4, name: null });
  });
  leaveRoom.mockReset().mockImplementation(({ joined }, conversationId) => joined.delete(conversationId));
  sockets = new FakeSockets();
  ann = sockets.connect('ann');
  const conversations: unknown = { enter, require: requireMember };
  const rooms: Partial<Rooms> = { join: joinRoom, leave: leaveRoom };
  const snapshot: unknown = { read };
  const deliveries: Partial<QueueDeliveryService> = { wake };
  joins = new JoinService(
    conversations as ConversationsService,
    rooms as Rooms,
    snapshot as JoinSnapshot,
    deliveries as QueueDeliveryService,
  );
});

afterEach(() => {
  vi.useRealTimers();
});

test('A member who is removed while the state is read does not receive it (P10)', async () => {
  read.mockImplementation(() => {
    ann.joined.delete('c');
    return Promise.resolve();
  });
  await expect(joins.join(ann, JOIN)).rejects.toMatchObject({ code: 'not_found' });
});

test('A join that fails leaves the room, and the queue delivers what the room did not (P8)', async () => {
  read.mockRejectedValue(new Error('the database is unavailable'));
  await expect(joins.join(ann, JOIN)).rejects.toThrow('unavailable');
  expect(ann.joined.size).toBe(0);
  expect(wake).toHaveBeenCalledExactlyOnceWith(ann, 'c');
});

test('A user who is not a member enters the conversation, and joins again', async () => {
  joinRoom.mockResolvedValueOnce(null);
  await joins.join(ann, { ...JOIN, access: 'link' });
  expect(enter).toHaveBeenCalledExactlyOnceWith(ann.principal, 'c', 'link');
  joinRoom.mockResolvedValue(null);
  await expect(joins.join(ann, JOIN)).rejects.toMatchObject({ code: 'not_found' });
});

test('A join whose client no longer waits for the ack does nothing (P7)', async () => {
  let goOn = (): void => {};
  const running = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  read.mockReturnValue(running);
  const first = Array.from({ length: MAX_CONCURRENT_JOINS }, () => joins.join(ann, JOIN));
  const late = joins.join(sockets.connect('late'), JOIN);
  await vi.waitFor(() => expect(joinRoom).toHaveBeenCalledTimes(MAX_CONCURRENT_JOINS));
  vi.advanceTimersByTime(LIMITS.requestTimeoutMs);
  goOn();
  await expect(late).rejects.toMatchObject({ code: 'timeout' });
  expect(joinRoom).toHaveBeenCalledTimes(MAX_CONCURRENT_JOINS);
  await Promise.all(first);
});

test('A closed socket does not join (P7)', async () => {
  sockets.close(ann);
  await expect(joins.join(ann, JOIN)).rejects.toMatchObject({ code: 'timeout' });
  expect(joinRoom).not.toHaveBeenCalled();
});

test('Leaving a conversation that was not joined is for members only (P10)', async () => {
  requireMember.mockRejectedValue(new Error('not found'));
  await expect(joins.leave(ann, 'c')).rejects.toThrow('not found');
  ann.joined.set('c', 4);
  await joins.leave(ann, 'c');
  expect(ann.joined.size).toBe(0);
});
