import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newId, NodeIdentity } from '../../src/common/ids.js';
import { readConfig } from '../../src/platform/config/config.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { DedicatedConnections } from '../../src/platform/database/dedicated-connections.js';
import { ChunkLogStore } from '../../src/streaming/log/chunk-log.store.js';
import { NodesStore } from '../../src/streaming/ownership/nodes.store.js';
import { StreamsStore } from '../../src/streaming/log/streams.store.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { testMetrics } from '../support/metrics.js';
import { readLog } from '../support/stream-log.js';
import { connectedClient, untilBlocked } from '../support/locks.js';

const QUIET = { info: () => {}, warn: () => {}, error: console.error };
const YEAR_MS = 365 * 24 * 3_600_000;

/** One process's stores, all on the same database. */
interface Node {
  id: string;
  log: ChunkLogStore;
  nodes: NodesStore;
  streams: StreamsStore;
}

let database: TestDatabase;
let dataSource: ReturnType<typeof createDataSource>;
let connections: DedicatedConnections;
let client: Client;
let a: Node;
let b: Node;

function makeNode(leaseMs = 500): Node {
  const identity = new NodeIdentity();
  const config = { ...readConfig({}), STREAM_LEASE_MS: leaseMs };
  return {
    id: identity.id,
    log: new ChunkLogStore(connections, dataSource, config, testMetrics().commits),
    nodes: new NodesStore(connections, identity, config),
    streams: new StreamsStore(connections, dataSource),
  };
}

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = createDataSource({ url: database.url, poolSize: 4, entities: [], migrations: [] });
  await dataSource.initialize();
  connections = new DedicatedConnections({ url: database.url, log: QUIET });
  client = await connectedClient(database.url);
});

beforeEach(async () => {
  await client.query('truncate streams, stream_chunks, nodes, conversations, messages');
  a = makeNode();
  b = makeNode();
  await a.nodes.renew();
  await b.nodes.renew();
  await client.query(`update nodes set lease_until = now() + interval '1 hour'`);
});

afterAll(async () => {
  await client.end();
  await connections.close();
  await dataSource.destroy();
  await database.drop();
});

/** A stream of `owner` with chunk 0 and these texts in its log. */
async function begun(owner: Node, ...texts: string[]): Promise<string> {
  const id = newId();
  await client.query(`insert into conversations (id) values ($1)`, [id]);
  await client.query(
    `insert into streams (id, conversation_id, message_id, reply_to, user_id, provider, model, transport, options,
       owner_node, started_at)
     values ($1::uuid, $1::text, $2, '{"seq":1}', 'alice', 'guide', 'guide', 'websocket', '{"visible":true}', $3, now())`,
    [id, newId(), owner.id],
  );
  expect(await write(owner, id, 0, 'metadata')).not.toBeNull();
  for (const [index, text] of texts.entries()) expect(await write(owner, id, index + 1, text)).not.toBeNull();
  return id;
}

function write(
  node: Node,
  streamId: string,
  sequence: number,
  text: string,
  epoch = 1,
): Promise<Date | null> {
  const chunk =
    sequence === 0
      ? { sequence, type: 'metadata' as const, content: '', metadata: {} }
      : { sequence, type: 'content' as const, content: text };
  return node.log.append({ streamId, epoch, chunks: [chunk] });
}

const complete = (node: Node, streamId: string, lastSequence: number, epoch = 1) =>
  node.streams.end({ streamId, owner: { epoch, lastSequence }, type: 'complete' });
const cancel = (node: Node, streamId: string) =>
  node.streams.end({ streamId, type: 'cancelled', reason: 'user' });

/** The lease of a process that is dead runs out. */
function kill({ id }: Node): Promise<unknown> {
  return client.query(`update nodes set lease_until = now() - interval '1 hour' where id = $1`, [id]);
}

async function contents(streamId: string): Promise<string[]> {
  return (await readLog(database.url, streamId)).map(({ type, content }) => content || type);
}

describe('Pause and resume (P6)', () => {
  test('after a pause the fence refuses every append until the resume, and repeats return the same', async () => {
    const id = await begun(a, 'one');
    const paused = await b.streams.pause(id);
    expect(paused).toEqual({ changed: true, status: 'paused', lastSequence: 1, version: 1 });
    expect(await write(a, id, 2, 'two')).toBeNull();
    expect(await a.log.position(id)).toMatchObject({ paused: true, version: 1, epoch: 1, ended: false });
    expect(await b.streams.pause(id)).toEqual({ ...paused, changed: false });
    const resumed = await b.streams.resume(id);
    expect(resumed).toEqual({ changed: true, status: 'streaming', lastSequence: 1, version: 2 });
    expect(await b.streams.resume(id)).toEqual({ ...resumed, changed: false });
    expect(await write(a, id, 2, 'two')).not.toBeNull();
    expect(await contents(id)).toEqual(['metadata', 'one', 'two']);
  });

  test('a stream with only chunk 0 is `starting` again after the resume', async () => {
    const id = await begun(a);
    await a.streams.pause(id);
    expect(await a.streams.resume(id)).toMatchObject({ status: 'starting' });
  });

  test('pausing or resuming an unknown stream returns null', async () => {
    expect(await a.streams.pause(newId())).toBeNull();
    expect(await a.streams.resume(newId())).toBeNull();
  });

  test('pause against end: the first wins, and the owner cannot end a paused stream', async () => {
    const first = await begun(a, 'one');
    await b.streams.pause(first);
    expect(await complete(a, first, 1)).toMatchObject({
      outcome: 'fenced',
      status: 'paused',
      lastSequence: 1,
    });
    await b.streams.resume(first);
    expect(await complete(a, first, 1)).toMatchObject({ outcome: 'ended', status: 'completed' });
    expect(await b.streams.pause(first)).toMatchObject({
      changed: false,
      status: 'completed',
      lastSequence: 2,
    });
  });

  test('pause against cancel: a paused stream is cancelled, a cancelled one is not paused', async () => {
    const id = await begun(a, 'one');
    await b.streams.pause(id);
    expect(await cancel(b, id)).toMatchObject({ outcome: 'ended', status: 'cancelled', lastSequence: 2 });
    expect(await b.streams.pause(id)).toMatchObject({ changed: false, status: 'cancelled' });
    expect(await b.streams.resume(id)).toMatchObject({ changed: false, status: 'cancelled' });
    expect(await contents(id)).toEqual(['metadata', 'one', 'cancelled']);
  });

  test.each(['append', 'pause'] as const)(
    'of a pause and an append that wait for one row, the %s first, the pause counts the append or refuses it',
    async (first) => {
      const id = await begun(a, 'one');
      await client.query('begin');
      await client.query('select 1 from streams where id = $1 for no key update', [id]);
      const start = {
        append: () => write(a, id, 2, 'two'),
        pause: () => b.streams.pause(id),
      };
      // An append gives up its place after a moment, so either may have the row first.
      const appending = first === 'append' ? start.append() : undefined;
      if (appending) await untilBlocked(database.url, 1);
      const pausing = start.pause();
      if (!appending) await untilBlocked(database.url, 1);
      const [appended, paused] = await Promise.all([
        appending ?? start.append(),
        pausing,
        client.query('commit'),
      ]);
      const isCounted = appended !== null;
      expect(paused).toMatchObject({ status: 'paused', lastSequence: isCounted ? 2 : 1 });
      expect(await contents(id)).toEqual(['metadata', 'one', ...(isCounted ? ['two'] : [])]);
      expect(await write(a, id, isCounted ? 3 : 2, 'late')).toBeNull();
    },
  );

  test('the timeout of a pause has no effect after a resume', async () => {
    const id = await begun(a, 'one');
    await b.streams.pause(id);
    await b.streams.resume(id);
    const late = { streamId: id, type: 'cancelled', reason: 'pause_timeout', pauseVersion: 1 } as const;
    expect(await a.streams.end(late)).toMatchObject({ outcome: 'fenced', status: 'streaming' });
    await b.streams.pause(id);
    expect(await a.streams.end({ ...late, pauseVersion: 3 })).toMatchObject({ outcome: 'ended' });
  });

  test('paused time does not count towards the life of a stream', async () => {
    const id = await begun(a, 'one');
    await client.query(`update streams set started_at = now() - interval '100 s' where id = $1`, [id]);
    await a.streams.pause(id);
    await client.query(`update streams set paused_at = now() - interval '90 s' where id = $1`, [id]);
    await a.streams.resume(id);
    await a.streams.release(id, 1);
    const [claimed] = await b.nodes.claim(1);
    expect(claimed?.livedMs).toBeGreaterThan(5000);
    expect(claimed?.livedMs).toBeLessThan(60_000);
  });
});

describe('Leases (P5)', () => {
  test('a living owner keeps its streams; those of a dead owner are interrupted and claimed once', async () => {
    const kept = await begun(b, 'b');
    const id = await begun(a, 'one');
    expect(await b.nodes.interruptDead()).toEqual([]);
    await kill(a);
    expect(await b.nodes.interruptDead()).toMatchObject([{ id, status: 'interrupted', lastSequence: 1 }]);
    expect(await write(a, id, 2, 'late')).toBeNull();
    const [mine, yours] = await Promise.all([b.nodes.claim(10), makeNode().nodes.claim(10)]);
    const claimed = [...mine, ...yours];
    expect(claimed).toMatchObject([{ id, status: 'streaming', epoch: 3, recoveries: 1, interruptions: 1 }]);
    expect(await write(a, id, 2, 'late')).toBeNull();
    expect(await complete(a, id, 1)).toMatchObject({ outcome: 'fenced' });
    expect(await write(b, id, 2, 'two', 3)).not.toBeNull();
    expect(await contents(id)).toEqual(['metadata', 'one', 'two']);
    expect((await b.nodes.own()).map((own) => own.id)).toContain(kept);
  });

  test('an owner without a row counts as dead; a stream without an owner is only claimed', async () => {
    const id = await begun(makeNode(), 'one');
    expect(await b.nodes.interruptDead()).toMatchObject([{ id }]);
    expect(await b.nodes.interruptDead()).toEqual([]);
    expect(await b.nodes.claim(0)).toEqual([]);
    expect(await b.nodes.claim(1, newId())).toEqual([]);
    expect(await b.nodes.claim(1, id)).toMatchObject([{ id }]);
  });

  test('right after a start of PostgreSQL no node counts as dead before it had time to renew', async () => {
    await begun(a, 'one');
    await client.query(`update nodes set lease_until = pg_postmaster_start_time() - interval '1 s'`);
    // With a lease that is longer than PostgreSQL has been running.
    const patient = makeNode(100 * YEAR_MS);
    for (const node of [patient, b]) await node.nodes.renew();
    expect(await patient.nodes.interruptDead()).toEqual([]);
    expect(await b.nodes.interruptDead()).toHaveLength(1);
  });

  test('a node that has lost its own lease declares no node dead before it has renewed', async () => {
    await begun(a, 'one');
    await begun(b, 'two');
    await kill(a);
    await kill(b);
    expect(await b.nodes.interruptDead()).toEqual([]);
    await b.nodes.renew();
    expect(await b.nodes.interruptDead()).toHaveLength(1);
  });

  test('a sweep that had to wait does not interrupt a node whose lease was good in its snapshot', async () => {
    await begun(a, 'one');
    await client.query(`update nodes set lease_until = now() + interval '300 ms' where id = $1`, [a.id]);
    await client.query('begin');
    await client.query('lock table streams in access exclusive mode');
    const swept = b.nodes.interruptDead();
    await untilBlocked(database.url, 1);
    await client.query('select pg_sleep(0.5)');
    await client.query('commit');
    expect(await swept).toEqual([]);
  });

  test('a renewal returns whether the lease was held, and creates a missing row', async () => {
    const node = makeNode(YEAR_MS);
    expect(await node.nodes.renew()).toBe(false);
    expect(await node.nodes.renew()).toBe(true);
    await kill(node);
    expect(await node.nodes.renew()).toBe(false);
    expect(await node.nodes.renew()).toBe(true);
    await node.nodes.leave();
    expect(await node.nodes.renew()).toBe(false);
  });

  test('rows of long dead processes are deleted, but not while they own a running stream', async () => {
    const id = await begun(a, 'one');
    await client.query(`update nodes set lease_until = now() - interval '30 days'`);
    await makeNode(YEAR_MS).nodes.renew();
    await b.nodes.forgetDead();
    const ids = async () =>
      (await client.query<{ id: string }>('select id from nodes')).rows.map((row) => row.id);
    expect(await ids()).toHaveLength(2);
    expect(await ids()).toContain(a.id);
    await cancel(b, id);
    await b.nodes.forgetDead();
    expect(await ids()).toHaveLength(1);
  });

  test('pause against crash: the stream stays paused without an owner, and can be claimed after its resume', async () => {
    const id = await begun(a, 'one');
    await b.streams.pause(id);
    await kill(a);
    expect(await b.nodes.interruptDead()).toMatchObject([{ id, status: 'paused' }]);
    expect(await b.nodes.claim(10)).toEqual([]);
    expect(await b.streams.resume(id)).toMatchObject({ status: 'interrupted', lastSequence: 1 });
    expect(await b.nodes.claim(10)).toMatchObject([
      { id, status: 'streaming', interruptions: 1, recoveries: 1 },
    ]);
  });

  test('an interrupted stream cannot be claimed once it is paused or cancelled', async () => {
    const id = await begun(a, 'one');
    await a.streams.release(id, 1);
    expect(await b.streams.pause(id)).toMatchObject({ changed: true, status: 'paused' });
    expect(await b.nodes.claim(10)).toEqual([]);
    await b.streams.resume(id);
    expect(await cancel(b, id)).toMatchObject({ outcome: 'ended' });
    expect(await b.nodes.claim(10)).toEqual([]);
  });

  test('a paused stream is overdue after the longest pause, unless it has an owner', async () => {
    const owned = await begun(b, 'one');
    const id = await begun(a, 'one');
    await b.streams.pause(owned);
    await b.streams.pause(id);
    await a.streams.release(id, 1);
    await client.query(`update streams set paused_at = now() - interval '10 s'`);
    expect(await b.nodes.overduePauses(20_000)).toEqual([]);
    expect(await b.nodes.overduePauses(5000)).toMatchObject([{ id, version: 1 }]);
  });

  test('a release works once, at the current epoch only, and not after the end', async () => {
    const id = await begun(a, 'one');
    expect(await a.streams.release(id, 2)).toBeNull();
    expect(await a.streams.release(id, 1)).toMatchObject({ status: 'interrupted' });
    expect(await a.streams.release(id, 1)).toBeNull();
    expect(await write(a, id, 2, 'late')).toBeNull();
    const [claimed] = await b.nodes.claim(1);
    await complete(b, id, 1, claimed?.epoch);
    expect(await b.streams.release(id, claimed?.epoch ?? 0)).toBeNull();
  });

  test('a node can interrupt its own streams, and no others', async () => {
    const id = await begun(a, 'one');
    expect(await b.nodes.interruptOwn([id])).toEqual([]);
    expect(await a.nodes.interruptOwn([id])).toMatchObject([{ id, status: 'interrupted' }]);
  });
});

describe('The end', () => {
  test('of a stream without chunks also writes chunk 0', async () => {
    const id = await begun(a);
    await client.query('delete from stream_chunks where stream_id = $1', [id]);
    await client.query('update streams set last_sequence = -1 where id = $1', [id]);
    const ended = await cancel(b, id);
    expect(ended).toMatchObject({
      outcome: 'ended',
      lastSequence: 1,
      opening: { sequence: 0, type: 'metadata' },
    });
    const log = await readLog(database.url, id);
    expect(log.map(({ type }) => type)).toEqual(['metadata', 'cancelled']);
    expect(ended).toMatchObject({ opening: log[0], chunk: log[1] });
    expect(log[0]?.metadata).toMatchObject({
      streamId: id,
      conversationId: id,
      replyTo: { seq: 1 },
      provider: 'guide',
    });
  });

  test('can be read again as it was returned first', async () => {
    const id = await begun(a, 'one');
    expect(await a.streams.findEnded(id)).toBeNull();
    const ended = await complete(a, id, 1);
    expect(await b.streams.findEnded(id)).toEqual(ended);
    expect(ended).toMatchObject({ message: { message: { content: 'one', seq: 1 } } });
  });
});

describe('Retention', () => {
  test('deletes the chunks of whole streams, the oldest first, in bounded parts; rows and messages stay', async () => {
    const ids = [await begun(a, 'one', 'two'), await begun(a, 'one'), await begun(a, 'one')];
    for (const id of ids) await cancel(a, id);
    const running = await begun(a, 'one');
    await client.query(`update streams set completed_at = now() - interval '1 hour' where id = any($1)`, [
      ids.slice(0, 2),
    ]);
    expect(await a.log.expire(7_200_000)).toBe(0);
    expect(await a.log.expire(60_000)).toBe(2);
    expect(await a.log.expire(60_000)).toBe(0);
    const kept = await Promise.all(
      [...ids, running].map(async (id) => (await readLog(database.url, id)).length),
    );
    expect(kept).toEqual([0, 0, 3, 2]);
    const { rows } = await client.query('select id from streams where expired order by id');
    expect(rows).toEqual(ids.slice(0, 2).map((id) => ({ id })));
    expect((await client.query('select 1 from messages')).rowCount).toBe(3);
  });

  test('runs on one node at a time, and deletes at least one stream however long it is', async () => {
    const ids = [await begun(a, 'one', 'two'), await begun(a, 'one', 'two')];
    for (const id of ids) await cancel(a, id);
    await client.query(`update streams set completed_at = now() - interval '1 hour'`);
    await client.query('begin');
    const { rows } = await client.query<{ count: number }>('select expire_streams(1000, 2) as count');
    expect(rows).toEqual([{ count: 1 }]);
    expect(await a.log.expire(1000)).toBe(0);
    await client.query('commit');
    expect(await a.log.expire(1000)).toBe(1);
  });
});
