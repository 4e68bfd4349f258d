import type { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Principal } from '../../src/auth/principal.js';
import { newId } from '../../src/common/ids.js';
import { readConfig } from '../../src/platform/config/config.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { DedicatedConnections } from '../../src/platform/database/dedicated-connections.js';
import { MetricsRegistry } from '../../src/platform/metrics/registry.js';
import type { Chunk } from '../../src/protocol/index.js';
import { MemoryRelay } from '../../src/platform/relay/memory-relay.js';
import { ChunkLogStore } from '../../src/streaming/log/chunk-log.store.js';
import { StreamAccess } from '../../src/streaming/stream-access.js';
import { StreamMetrics } from '../../src/streaming/metrics/stream-metrics.js';
import { toChunk, type StreamRow } from '../../src/streaming/log/stream.rows.js';
import { StreamsStore } from '../../src/streaming/log/streams.store.js';
import { StreamReader } from '../../src/streaming/viewers/stream-reader.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { testMetrics } from '../support/metrics.js';
import { connectedClient } from '../support/locks.js';
import { readLog } from '../support/stream-log.js';

const QUIET = { info: () => {}, warn: () => {}, error: console.error };
const ALICE: Principal = { userId: 'alice', roles: [], isAdmin: false, guest: false, expiresAt: Infinity };

let database: TestDatabase;
let dataSource: ReturnType<typeof createDataSource>;
let connections: DedicatedConnections;
let client: Client;
let log: ChunkLogStore;
let streams: StreamsStore;
let access: StreamAccess;
const relay = new MemoryRelay();
const metrics = new StreamMetrics(new MetricsRegistry());

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = createDataSource({ url: database.url, poolSize: 4, entities: [], migrations: [] });
  await dataSource.initialize();
  connections = new DedicatedConnections({ url: database.url, log: QUIET });
  client = await connectedClient(database.url);
  log = new ChunkLogStore(connections, dataSource, readConfig({}), testMetrics().commits);
  streams = new StreamsStore(connections, dataSource);
  access = new StreamAccess(streams);
});

afterAll(async () => {
  await client.end();
  await connections.close();
  await dataSource.destroy();
  await database.drop();
});

/** A running stream of alice's, without chunks. */
async function begun(): Promise<StreamRow> {
  const id = newId();
  await client.query('insert into conversations (id) values ($1)', [id]);
  await client.query(`insert into members (conversation_id, user_id, role) values ($1, 'alice', 'owner')`, [
    id,
  ]);
  await client.query(
    `insert into streams (id, conversation_id, message_id, reply_to, user_id, provider, model, transport, options, started_at)
     values ($1::uuid, $1::text, $2, '{"seq":1}', 'alice', 'guide', 'guide', 'sse', '{"visible":true}', now())`,
    [id, newId()],
  );
  return access.readable(ALICE, id);
}

/** Writes chunks to the log, and publishes them on `to` as their owner does. */
async function write(
  row: StreamRow,
  texts: readonly string[],
  first: number,
  to?: MemoryRelay,
): Promise<void> {
  const chunks = texts.map((content, index) => ({
    sequence: first + index,
    type: 'content' as const,
    content,
    ...(first + index === 0 && { metadata: { 'ä "quoted"': '\u2028', n: 1.5 } }),
  }));
  const time = await log.append({ streamId: row.id, epoch: 1, chunks });
  expect(time).not.toBeNull();
  for (const { metadata = null, ...draft } of chunks) {
    const chunk = toChunk({ ...draft, metadata, streamId: row.id, createdAt: time as Date });
    to?.publish('conversation', row.conversationId, { type: 'stream:chunk', chunk });
  }
}

async function end(row: StreamRow, to?: MemoryRelay): Promise<void> {
  const result = await streams.end({ streamId: row.id, type: 'cancelled', reason: 'user' });
  if (result.outcome !== 'ended') throw new Error(`the stream is ${result.outcome}`);
  to?.publish('conversation', row.conversationId, { type: 'stream:chunk', chunk: result.chunk });
}

async function all(reader: StreamReader, row: StreamRow, fromSequence = 0): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  const { signal } = new AbortController();
  for await (const batch of reader.follow(ALICE, row, { fromSequence, signal })) chunks.push(...batch);
  return chunks;
}

const texts = (count: number, length = 1): string[] =>
  Array.from({ length: count }, (_, index) => `${index} `.padEnd(length, '·'));

test('a hundred readers that start at any moment get the log, byte for byte, live and replayed (P4)', async () => {
  const reader = new StreamReader(log, relay, access, metrics);
  const row = await begun();
  const readers: Promise<Chunk[]>[] = [];
  for (let first = 0; first < 400; first += 4) {
    readers.push(all(reader, row));
    await write(row, texts(4), first, relay);
  }
  await end(row, relay);
  const logged = (await readLog(database.url, row.id)).map((chunk) => JSON.stringify(chunk));
  expect(logged).toHaveLength(401);
  for (const chunks of await Promise.all(readers)) {
    expect(chunks.map((chunk) => JSON.stringify(chunk))).toEqual(logged);
  }
});

test('a reader finds chunks in the log that the relay did not deliver', async () => {
  const elsewhere = new MemoryRelay();
  const reader = new StreamReader(log, relay, access, metrics);
  const row = await begun();
  await write(row, texts(3), 0, elsewhere);
  const reading = all(reader, row, 1);
  await write(row, texts(3), 3, elsewhere);
  await end(row, elsewhere);
  expect((await reading).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6]);
});

test('a page of a reader is at most 64 KiB, or one larger chunk, so that slow readers hold little memory (P7)', async () => {
  const reader = new StreamReader(log, relay, access, metrics);
  const row = await begun();
  await write(row, [...texts(20, 10_000), 'x'.repeat(65_536), 'y'.repeat(200_000), 'z'], 0);
  await end(row);
  const sizes: number[] = [];
  const { signal } = new AbortController();
  for await (const batch of reader.follow(ALICE, row, { fromSequence: 0, signal })) {
    const bytes = batch.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
    expect(batch.length === 1 || bytes <= 65_536).toBe(true);
    sizes.push(batch.length);
  }
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(24);
});

test('a removed member may no longer read although the relay did not deliver the removal (P10)', async () => {
  const reader = new StreamReader(log, relay, access, metrics);
  const row = await begun();
  await write(row, texts(2), 0, relay);
  const reading = all(reader, row);
  await client.query('delete from members where conversation_id = $1', [row.conversationId]);
  await expect(reading).rejects.toMatchObject({ code: 'not_found' });
});
