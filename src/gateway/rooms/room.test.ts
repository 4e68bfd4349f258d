import { describe, expect, test } from 'vitest';
import type { Message } from '../../protocol/index.js';
import type { ConversationEvent } from '../../platform/relay/topics.js';
import type { Connection } from '../connections/connection.js';
import { Room, type RoomSource } from './room.js';

/** Longer than a gap is held. */
const SOON_MS = 5000;

function message(seq: number): Message {
  const fixed = { conversationId: 'c', senderId: 'ann', role: 'user' as const, metadata: {}, createdAt: '' };
  return { ...fixed, id: `id-${seq}`, seq, content: `m${seq}` };
}

function heard(seq: number, memberVersion = 1): ConversationEvent {
  return { type: 'message', message: message(seq), memberVersion };
}

interface World {
  room: Room;
  shown: number[];
  /** How often the log was read. */
  reads(): number;
  faults: string[];
}

interface Log {
  lastSeq: number;
  /** Messages in the log. */
  until: number;
  members?: (version: number) => string[];
  /** How many reads of the log fail at first. */
  failing?: number;
}

function open({ lastSeq, until, members = () => ['ann', 'bob'], failing = 0 }: Log): World {
  const shown: number[] = [];
  const faults: string[] = [];
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
    taken: () => {},
    failed: (_id, error) => faults.push(String(error)),
  };
  const room = new Room(
    'c',
    source,
    (event, payload) => {
      if (event === 'message:new') shown.push((payload as Message).seq);
    },
    (connection) => room.connections.delete(connection),
  );
  room.begin(lastSeq);
  return { room, shown, reads: () => reads, faults };
}

function join({ room }: World, userId: string): Connection {
  const connection = { userId, id: userId, acks: true } as Connection;
  room.connections.add(connection);
  return connection;
}

describe('A room shows messages ascending by seq, each once (P3)', () => {
  test('as they come, without reading the log', async () => {
    const { room, shown, reads } = open({ lastSeq: 4, until: 9 });
    for (const seq of [3, 5, 6, 6, 5, 7]) room.hear(heard(seq));
    await expect.poll(() => shown).toEqual([5, 6, 7]);
    expect(reads()).toBe(0);
  });

  test('in their order when the relay brings them in another, without reading the log', async () => {
    const { room, shown, reads } = open({ lastSeq: 0, until: 4 });
    for (const seq of [3, 4, 1, 2]) room.hear(heard(seq));
    await expect.poll(() => shown, { timeout: SOON_MS }).toEqual([1, 2, 3, 4]);
    expect(reads()).toBe(0);
  });

  test('with what never came, read from the log, up to what was heard and no further (P10)', async () => {
    const { room, shown, reads } = open({ lastSeq: 0, until: 9 });
    room.hear(heard(4));
    await expect.poll(() => shown, { timeout: SOON_MS }).toEqual([1, 2, 3, 4]);
    expect(reads()).toBe(1);
  });

  test('and goes on when what it heard of is gone from the log', async () => {
    const { room, shown, reads } = open({ lastSeq: 2, until: 2 });
    room.hear(heard(9));
    await expect.poll(reads, { timeout: SOON_MS }).toBe(1);
    room.hear(heard(3));
    await expect.poll(() => shown, { timeout: SOON_MS }).toEqual([3]);
  });

  test('also when the database was away meanwhile: it tries again by itself', async () => {
    const { room, shown, faults } = open({ lastSeq: 0, until: 5, failing: 1 });
    room.hear(heard(3));
    room.hear(heard(5));
    await expect.poll(() => shown, { timeout: SOON_MS }).toEqual([1, 2, 3, 4, 5]);
    expect(faults).toEqual(['Error: away']);
  });
});

describe('Before it shows a message of a newer membership, a room knows the members (P10)', () => {
  test('and who is none any more has left', async () => {
    const world = open({ lastSeq: 0, until: 1, members: () => ['ann'] });
    const ann = join(world, 'ann');
    join(world, 'bob');
    world.room.hear(heard(1, 2));
    await expect.poll(() => world.shown).toEqual([1]);
    expect([...world.room.connections]).toEqual([ann]);
  });

  test('and who became one only behind it stays', async () => {
    const members = (version: number): string[] => (version > 2 ? ['ann', 'late'] : ['ann']);
    const world = open({ lastSeq: 0, until: 1, members });
    const [ann, late] = [join(world, 'ann'), join(world, 'late')];
    world.room.hear(heard(1, 2));
    await expect.poll(() => world.shown).toEqual([1]);
    expect([...world.room.connections]).toEqual([ann, late]);
  });
});
