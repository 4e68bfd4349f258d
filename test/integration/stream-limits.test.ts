import type { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { shardOfKey } from '../../src/common/group-commit.js';
import { newId, NodeIdentity } from '../../src/common/ids.js';
import { readConfig } from '../../src/platform/config/config.js';
import { AppendStore } from '../../src/conversations/append.store.js';
import { StreamSlots } from '../../src/conversations/stream-slots.js';
import { DedicatedConnections } from '../../src/platform/database/dedicated-connections.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { testMetrics } from '../support/metrics.js';
import { connectedClient, untilBlocked } from '../support/locks.js';

const QUIET = { info: () => {}, warn: () => {}, error: console.error };

let database: TestDatabase;
let connections: DedicatedConnections;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  connections = new DedicatedConnections({ url: database.url, log: QUIET });
  client = await connectedClient(database.url);
});

afterAll(async () => {
  await client.end();
  await connections.close();
  await database.drop();
});

interface Limits {
  perUser: number;
  concurrent: number;
}

/** One process's way to append, with its slots. */
function makeNode({ perUser, concurrent }: Limits): { append: AppendStore; slots: StreamSlots } {
  const config = { ...readConfig({}), STREAM_MAX_PER_USER: perUser, STREAM_MAX_CONCURRENT: concurrent };
  const slots = new StreamSlots(config);
  return {
    append: new AppendStore(connections, new NodeIdentity(), slots, config, testMetrics().messages),
    slots,
  };
}

/** A new conversation of `userId`, written by this one of the two shards. */
async function conversation(userId: string, shard: number): Promise<string> {
  let id = newId();
  while (shardOfKey(id, 2) !== shard) id = newId();
  await client.query(`select join_conversation($1, $2, null, 'members', 10)`, [id, userId]);
  return id;
}

function question(conversationId: string, senderId: string) {
  const answer = { streamId: newId(), messageId: newId(), provider: 'guide', model: 'guide' };
  return {
    ...{ conversationId, senderId, clientMessageId: 'q', id: newId(), content: 'Why?', metadata: {} },
    answer: { ...answer, transport: 'websocket' as const, options: {} },
  };
}

test('A user’s last free answer is given once, to two processes that ask at the same time', async () => {
  const limits = { perUser: 1, concurrent: 100 };
  const [first, second] = [await conversation('alice', 0), await conversation('alice', 1)];
  const other = await connectedClient(database.url);
  const item = question(first, 'alice');
  try {
    // Another process's commit that is under way.
    await other.query('begin');
    const { rows } = await other.query<{ outcome: string }>(
      `select outcome from append_messages($1, $2, $3, $4, $5, $6, $7, 'another', 1, 100)`,
      [[first], ['alice'], ['q'], [item.id], ['Why?'], ['{}'], [JSON.stringify(item.answer)]],
    );
    expect(rows).toEqual([{ outcome: 'stored' }]);
    const late = makeNode(limits).append.append(question(second, 'alice'));
    await untilBlocked(database.url, 1);
    await other.query('commit');
    expect(await late).toEqual({ outcome: 'too_many_streams' });
  } finally {
    await other.end();
  }
});

test('A process’s last free slot is given once, to two commits that are under way at the same time', async () => {
  const { append, slots } = makeNode({ perUser: 100, concurrent: 1 });
  const [first, second] = [await conversation('bob', 0), await conversation('carol', 1)];
  await client.query('begin');
  await client.query('select 1 from conversations where id = $1 for update', [first]);
  const item = question(first, 'bob');
  const waiting = append.append(item);
  await untilBlocked(database.url, 1);
  expect(await append.append(question(second, 'carol'))).toEqual({ outcome: 'too_many_streams' });
  await client.query('commit');
  expect(await waiting).toMatchObject({ outcome: 'stored' });
  expect(slots.free()).toBe(0);
  expect(await append.append(question(second, 'carol'))).toEqual({ outcome: 'too_many_streams' });
  slots.release(item.answer.streamId);
  expect(await append.append(question(second, 'carol'))).toMatchObject({ outcome: 'stored' });
});

test('What a commit did not begin gives its slot back: repeats, refusals and failures', async () => {
  const { append, slots } = makeNode({ perUser: 1, concurrent: 3 });
  const id = await conversation('dave', 0);
  const item = question(id, 'dave');
  await append.append(item);
  expect(await append.append({ ...item, answer: question(id, 'dave').answer })).toMatchObject({
    outcome: 'duplicate',
    streamId: item.answer.streamId,
  });
  expect(await append.append(question(newId(), 'dave'))).toEqual({ outcome: 'not_found' });
  const busy = { ...question(id, 'dave'), clientMessageId: 'q2' };
  expect(await append.append(busy)).toEqual({ outcome: 'too_many_streams' });
  const faulty = { ...question(id, 'dave'), clientMessageId: 'q3', content: 'a\u0000b' };
  await expect(append.append(faulty)).rejects.toMatchObject({ code: 'internal' });
  expect(slots.free()).toBe(2);
});
