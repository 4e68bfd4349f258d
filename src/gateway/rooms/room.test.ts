import { describe, expect, test } from 'vitest';
import type { Message } from '../../protocol/index.js';
import type { ConversationEvent } from '../../platform/relay/topics.js';
import type { Connection } from '../connections/connection.js';
import { Room } from './room.js';
import type { RoomSource } from './room-source.js';

/** Longer than a room waits at a gap. */
const SOON_MS = 5000;

function message(seq: number): Message {
  const fixed = { conversationId: 'c', senderId: 'ann', role: 'user' as const, metadata: {}, createdAt: '' };
  return { ...fixed, id: `id-${seq}`, seq, content: `m${seq}` };
}

function event(seq: number, memberVersion = 1): ConversationEvent {
  return { type: 'message', message: message(seq), memberVersion };
}

interface Fixture {
  room: Room;
  /** Every `seq` that was broadcast, in order. */
  sent: number[];
  /** Returns how often the log was read. */
  reads(): number;
  errors: string[];
}

interface Log {
  lastSeq: number;
  /** `seq` of the last message in the log. */
  until: number;
  members?: (version: number) => string[];
  /** How many of the first reads of the log fail. */
  failing?: number;
}

function open({ lastSeq, until, members = () => ['ann', 'bob'], failing = 0 }: Log): Fixture {
  const sent: number[] = [];
  const errors: string[] = [];
  let reads = 0;
  const source: RoomSource = {
    messagesAfter: (_id, afterSeq) => {
      reads += 1;
      if (reads <= failing) return Promise.reject(new Error('away'));
      return Promise.resolve(
        Array.from({ length: Math.max(0, until - afterSeq) }, (_, n) => message(afterSeq + n + 1)),
      );
    },
    members: (_id, version) => Promise.resolve(new Set(members(version))),
    onWritten: () => {},
    onError: (_id, error) => errors.push(String(error)),
  };
  const room = new Room(
    'c',
    source,
    (name, payload) => {
      if (name === 'message:new') sent.push((payload as Message).seq);
    },
    (connection) => room.connections.delete(connection),
  );
  room.start(lastSeq);
  return { room, sent, reads: () => reads, errors };
}

function join({ room }: Fixture, userId: string): Connection {
  const connection = { userId, id: userId, acks: true } as Connection;
  room.connections.add(connection);
  return connection;
}

describe('A room broadcasts messages in ascending order, each once (P3)', () => {
  test('that arrive in order, without reading the log', async () => {
    const { room, sent, reads } = open({ lastSeq: 4, until: 9 });
    for (const seq of [3, 5, 6, 6, 5, 7]) room.receive(event(seq));
    await expect.poll(() => sent).toEqual([5, 6, 7]);
    expect(reads()).toBe(0);
  });

  test('that arrive out of order, without reading the log', async () => {
    const { room, sent, reads } = open({ lastSeq: 0, until: 4 });
    for (const seq of [3, 4, 1, 2]) room.receive(event(seq));
    await expect.poll(() => sent, { timeout: SOON_MS }).toEqual([1, 2, 3, 4]);
    expect(reads()).toBe(0);
  });

  test('and reads missing ones from the log, but none after the message it received (P10)', async () => {
    const { room, sent, reads } = open({ lastSeq: 0, until: 9 });
    room.receive(event(4));
    await expect.poll(() => sent, { timeout: SOON_MS }).toEqual([1, 2, 3, 4]);
    expect(reads()).toBe(1);
  });

  test('and goes on when the log no longer has a missing one', async () => {
    const { room, sent, reads } = open({ lastSeq: 2, until: 2 });
    room.receive(event(9));
    await expect.poll(reads, { timeout: SOON_MS }).toBe(1);
    room.receive(event(3));
    await expect.poll(() => sent, { timeout: SOON_MS }).toEqual([3]);
  });

  test('and retries by itself when the database was unavailable', async () => {
    const { room, sent, errors } = open({ lastSeq: 0, until: 5, failing: 1 });
    room.receive(event(3));
    room.receive(event(5));
    await expect.poll(() => sent, { timeout: SOON_MS }).toEqual([1, 2, 3, 4, 5]);
    expect(errors).toEqual(['Error: away']);
  });
});

describe('Before a room broadcasts a message of a newer membership version, it reads the members (P10)', () => {
  test('and takes out former members', async () => {
    const fixture = open({ lastSeq: 0, until: 1, members: () => ['ann'] });
    const ann = join(fixture, 'ann');
    join(fixture, 'bob');
    fixture.room.receive(event(1, 2));
    await expect.poll(() => fixture.sent).toEqual([1]);
    expect([...fixture.room.connections]).toEqual([ann]);
  });

  test('and keeps a user who became a member after that version', async () => {
    const members = (version: number): string[] => (version > 2 ? ['ann', 'late'] : ['ann']);
    const fixture = open({ lastSeq: 0, until: 1, members });
    const [ann, late] = [join(fixture, 'ann'), join(fixture, 'late')];
    fixture.room.receive(event(1, 2));
    await expect.poll(() => fixture.sent).toEqual([1]);
    expect([...fixture.room.connections]).toEqual([ann, late]);
  });

  test('and broadcasts nothing more when it was closed meanwhile (P10)', async () => {
    const fixture = open({ lastSeq: 0, until: 1 });
    fixture.room.receive(event(1, 2));
    fixture.room.close();
    await new Promise(setImmediate);
    expect(fixture.sent).toEqual([]);
  });
});
