import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/common/ids.js';
import { shardOfKey } from '../../src/common/group-commit.js';
import { DedicatedConnections } from '../../src/platform/database/dedicated-connections.js';
import { StreamsStore } from '../../src/streaming/log/streams.store.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { item, openStores, type OpenStores } from '../support/stores.js';
import { withClient } from '../support/with-client.js';

/** What a neighbour of a locked row may wait, in milliseconds: far less than the three seconds of a lock. */
const NEIGHBOUR_MS = 1000;

let database: TestDatabase;
let stores: OpenStores;
let connections: DedicatedConnections;
let streams: StreamsStore;

beforeAll(async () => {
  database = await createTestDatabase();
  stores = await openStores(database.url);
  connections = new DedicatedConnections({ url: database.url, log: { info() {}, warn() {}, error() {} } });
  streams = new StreamsStore(connections, stores.database);
});

afterAll(async () => {
  await connections.close();
  await stores.close();
  await database.drop();
});

/** Conversations of one shard, the first of which is `first`. */
async function neighbours(count: number): Promise<string[]> {
  const first = newId();
  const ids = [first];
  while (ids.length < count) {
    const id = newId();
    if (shardOfKey(id, 2) === shardOfKey(first, 2)) ids.push(id);
  }
  for (const id of ids) await stores.conversations.create(id, { userId: 'owner' }, null, 'members');
  // Its connection is open now.
  await stores.append.append({ ...item(first, 'stranger', 'x') });
  return ids;
}

/** Runs `work` while another session holds the rows of `lock`, which ends when `work` calls its argument. */
async function whileLocked(
  lock: string,
  values: unknown[],
  work: (release: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  await withClient(database.url, async (other) => {
    await other.query('begin');
    await other.query(lock, values);
    await work(() => other.query('rollback'));
  });
}

async function timed<T>(promise: Promise<T>): Promise<{ result: T; ms: number }> {
  const began = performance.now();
  return { result: await promise, ms: performance.now() - began };
}

/** A running stream in each of `conversations`, all appended to by one connection. */
async function running(conversations: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const conversationId of conversations) {
    let streamId = newId();
    while (ids[0] !== undefined && shardOfKey(streamId, 2) !== shardOfKey(ids[0], 2)) streamId = newId();
    const answer = { streamId, messageId: newId(), provider: 'guide', model: 'guide', options: {} };
    await stores.append.append({
      ...item(conversationId, `asker-${conversationId}`.slice(0, 20), streamId),
      senderId: 'owner',
      answer: { ...answer, transport: 'websocket' },
    });
    await stores.database.query('update streams set user_id = id::text where id = $1', [streamId]);
    ids.push(streamId);
  }
  return ids;
}

const chunk = (streamId: string) => ({
  ...{ streamId, epoch: 1 },
  chunks: [{ sequence: 0, type: 'content' as const, content: 'Hello' }],
});

describe('Another session holds a row (P7):', () => {
  test('of a conversation: others of its shard are stored at once, and its own in their order later (P2, P3)', async () => {
    const [locked = '', ...others] = await neighbours(20);
    await whileLocked('select from conversations where id = $1 for update', [locked], async (release) => {
      const waiting = [1, 2, 3].map((n) => stores.append.append(item(locked, 'owner', `m${n}`)));
      for (let round = 0; round < 5; round += 1) {
        const sends = others.map((id) => timed(stores.append.append(item(id, 'owner', `m${round}`))));
        for (const { result, ms } of await Promise.all(sends)) {
          expect(result).toMatchObject({ outcome: 'stored', seq: round + 1 });
          expect(ms).toBeLessThan(NEIGHBOUR_MS);
        }
        waiting.push(stores.append.append(item(locked, 'owner', `m${4 + round}`)));
      }
      await release();
      const results = await Promise.all(waiting);
      expect(results).toMatchObject(results.map((_, index) => ({ outcome: 'stored', seq: index + 1 })));
    });
    const rows = await stores.database.query<{ client_message_id: string }[]>(
      'select client_message_id from messages where conversation_id = $1 order by seq',
      [locked],
    );
    expect(rows.map((row) => row.client_message_id)).toEqual(rows.map((_, index) => `m${index + 1}`));
  });

  test('of a conversation for longer than a send may take: the send is refused as retryable, and a repeat is stored once (P2)', async () => {
    const [locked = ''] = await neighbours(1);
    await whileLocked('select from conversations where id = $1 for update', [locked], async (release) => {
      const refused = { code: 'timeout', retryable: true };
      await expect(stores.append.append(item(locked, 'owner', 'm'))).rejects.toMatchObject(refused);
      await release();
    });
    expect(await stores.append.append(item(locked, 'owner', 'm'))).toMatchObject({ seq: 1 });
    expect(await stores.append.append(item(locked, 'owner', 'm'))).toMatchObject({ outcome: 'duplicate' });
  });

  test('of a conversation: twenty who change its members, and twenty who stop its answers, hold up nobody else', async () => {
    const [locked = '', other = '', third = ''] = await neighbours(3);
    const [answered = '', asked = ''] = await running([other, third]);
    const stopped = await running(Array.from({ length: 20 }, () => locked));
    const stop = (streamId: string) => streams.end({ type: 'cancelled', reason: 'user', streamId });
    const people = Array.from({ length: 20 }, (_, n) => `user-${n}`);
    await whileLocked('select from conversations where id = $1 for update', [locked], async (release) => {
      const waiting = people.flatMap((userId) => [
        stores.conversations.addMember(locked, 'owner', userId),
        stores.conversations.join({ conversationId: locked, userId: 'owner' }),
        stores.conversations.update(locked, { title: userId }),
      ]);
      const ends = stopped.map(stop);
      for (const streamId of [answered, asked]) {
        const calls = [
          stores.conversations.addMember(other, 'owner', `new-${streamId}`),
          stores.conversations.removeMember(other, 'owner', `new-${streamId}`),
          stores.conversations.membership(other, 'owner'),
          stop(streamId),
        ];
        for (const { ms } of await Promise.all(calls.map((call) => timed<unknown>(call))))
          expect(ms).toBeLessThan(NEIGHBOUR_MS);
      }
      await release();
      const outcomes = new Set(await Promise.all(waiting));
      expect(outcomes).toEqual(new Set(['added', 'member', undefined]));
      for (const { outcome } of await Promise.all(ends)) expect(outcome).toBe('ended');
    });
  });

  test('of a member: acks of others are taken at once, and its own later', async () => {
    const [locked = '', ...others] = await neighbours(5);
    for (const id of [locked, ...others]) await stores.append.append(item(id, 'owner', 'm'));
    const ack = (conversationId: string) =>
      stores.acks.ack({ userId: 'owner', conversationId, deliveredSeq: 1, readSeq: 1 });
    await whileLocked(
      'select from members where conversation_id = $1 for update',
      [locked],
      async (release) => {
        const waiting = ack(locked);
        expect(await stores.acks.ack({ ...position('stranger'), conversationId: locked })).toBeNull();
        for (const { result, ms } of await Promise.all(others.map((id) => timed(ack(id))))) {
          expect(result).toMatchObject({ deliveredSeq: 1, moved: true });
          expect(ms).toBeLessThan(NEIGHBOUR_MS);
        }
        await release();
        expect(await waiting).toMatchObject({ deliveredSeq: 1, readSeq: 1, moved: true });
      },
    );
  });

  test('of a stream: chunks and prompt sizes of others are stored at once, and its own later (P4)', async () => {
    const [locked = '', ...others] = await running(await neighbours(4));
    await whileLocked('select from streams where id = $1 for update', [locked], async (release) => {
      const waiting = [stores.chunks.append(chunk(locked)), stores.chunks.recordPrompt(locked, 7)];
      for (const { result, ms } of await Promise.all(
        others.map((id) => timed(stores.chunks.append(chunk(id)))),
      )) {
        expect(result).toBeInstanceOf(Date);
        expect(ms).toBeLessThan(NEIGHBOUR_MS);
      }
      for (const { ms } of await Promise.all(others.map((id) => timed(stores.chunks.recordPrompt(id, 7))))) {
        expect(ms).toBeLessThan(NEIGHBOUR_MS);
      }
      await release();
      expect((await Promise.all(waiting))[0]).toBeInstanceOf(Date);
    });
    const rows = await stores.database.query<object[]>(
      'select distinct prompt_bytes, last_sequence from streams where id = any($1)',
      [[locked, ...others]],
    );
    expect(rows).toEqual([{ prompt_bytes: 7, last_sequence: 0 }]);
  });

  test('of a stream: others are paused, resumed and ended at once, and its own later (P5)', async () => {
    const [locked = '', other = ''] = await running(await neighbours(2));
    await whileLocked('select from streams where id = $1 for update', [locked], async (release) => {
      const ending = { type: 'cancelled', reason: 'user' } as const;
      const waiting = [streams.pause(locked), streams.end({ ...ending, streamId: locked })] as const;
      expect((await timed(streams.pause(other))).ms).toBeLessThan(NEIGHBOUR_MS);
      expect((await timed(streams.resume(other))).ms).toBeLessThan(NEIGHBOUR_MS);
      const { result, ms } = await timed(streams.end({ ...ending, streamId: other }));
      expect([result.outcome, ms < NEIGHBOUR_MS]).toEqual(['ended', true]);
      await release();
      expect(await waiting[1]).toMatchObject({ outcome: 'ended' });
      await waiting[0];
    });
  });
});

function position(userId: string) {
  return { userId, deliveredSeq: 1, readSeq: 1 };
}
