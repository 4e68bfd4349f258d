import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { DataSource } from 'typeorm';
import { newId, NodeIdentity } from '../../src/common/ids.js';
import { readConfig, type Config } from '../../src/platform/config/config.js';
import {
  AppendStore,
  type AnswerRequest,
  type AppendItem,
  type AppendResult,
} from '../../src/conversations/append.store.js';
import { ConversationsStore } from '../../src/conversations/conversations.store.js';
import { StreamSlots } from '../../src/conversations/stream-slots.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { DedicatedConnections } from '../../src/platform/database/dedicated-connections.js';
import { entities } from '../../src/app/entities.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { testMetrics } from '../support/metrics.js';
import { withClient } from '../support/with-client.js';

const QUIET = { info: () => {}, warn: () => {}, error: () => {} };

let database: TestDatabase;
let dataSource: DataSource;
let conversations: ConversationsStore;
let nodes: AppendStore[];
const opened: DedicatedConnections[] = [];
let made = 0;
let room = '';

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = createDataSource({ url: database.url, poolSize: 4, entities, migrations: [] });
  await dataSource.initialize();
  const config = readConfig({ STREAM_MAX_PER_USER: '3' });
  conversations = new ConversationsStore(dataSource, config);
  nodes = [node(config), node(config)];
});

afterAll(async () => {
  await Promise.all(opened.map((connections) => connections.close()));
  await dataSource.destroy();
  await database.drop();
});

beforeEach(async () => {
  room = `room-${(made += 1)}`;
  await conversations.create(room, { userId: 'owner' }, null, 'members');
});

/** The store of a node of its own: other connections, another identity. */
function node(config: Config): AppendStore {
  const connections = new DedicatedConnections({ url: database.url, log: QUIET });
  opened.push(connections);
  return new AppendStore(
    connections,
    new NodeIdentity(),
    new StreamSlots(config),
    config,
    testMetrics().messages,
  );
}

function item(senderId: string, clientMessageId: string, fields: Partial<AppendItem> = {}): AppendItem {
  const base = { conversationId: room, senderId, clientMessageId, id: newId() };
  return { ...base, content: `${senderId} says ${clientMessageId}`, metadata: {}, ...fields };
}

function asking(senderId: string, clientMessageId: string): AppendItem {
  const answer: AnswerRequest = {
    ...{ streamId: newId(), messageId: newId(), provider: 'guide', model: 'guide' },
    ...{ transport: 'websocket', options: {} },
  };
  return item(senderId, clientMessageId, { answer });
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  let state = seed;
  const random = (): number => (state = (state * 48_271) % 2_147_483_647);
  return items
    .map((value) => ({ value, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

/** Resolves when a session waits for a lock in a statement that looks like `text`. */
async function untilWaiting(text: string): Promise<void> {
  for (const giveUpAt = Date.now() + 3000; Date.now() < giveUpAt;) {
    const rows = await dataSource.query<unknown[]>(
      `select from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and query like '%' || $1 || '%'`,
      [text],
    );
    if (rows.length > 0) return;
  }
  throw new Error(`nobody waited in ${text}`);
}

interface Row {
  seq: string;
  id: string;
  sender_id: string;
  client_message_id: string;
  created_at: Date;
}

const log = (conversationId = room): Promise<Row[]> =>
  dataSource.query('select * from messages where conversation_id = $1 order by seq', [conversationId]);
const queue = (): Promise<{ user_id: string; seq: string }[]> =>
  dataSource.query('select user_id, seq from deliveries where conversation_id = $1 order by user_id, id', [
    room,
  ]);

const stored = (result: AppendResult): Extract<AppendResult, { seq: number }> => {
  if (!('seq' in result)) throw new Error(`it was ${result.outcome}`);
  return result;
};

test('Two nodes, shuffled batches, everything sent twice on both: no hole, no double, one answer to each (P2, P3)', async () => {
  const rooms = ['a', 'b', 'c'].map((name) => `${room}-${name}`);
  const users = ['alice', 'bob', 'carol'];
  for (const id of rooms) {
    await conversations.create(id, { userId: 'alice' }, null, 'members');
    for (const user of users) await conversations.addMember(id, 'alice', user);
  }
  const keys = rooms.flatMap((conversationId) =>
    users.flatMap((user) => Array.from({ length: 60 }, (_, n) => ({ conversationId, user, n }))),
  );
  const results = new Map<string, AppendResult[]>();
  const send = async (store: AppendStore, seed: number): Promise<void> => {
    await Promise.all(
      shuffled([...keys, ...keys], seed).map(async ({ conversationId, user, n }) => {
        const key = `${conversationId} ${user} ${n}`;
        const result = await store.append(item(user, `m${n}`, { conversationId }));
        results.set(key, [...(results.get(key) ?? []), result]);
      }),
    );
  };
  await Promise.all([send(nodes[0]!, 7), send(nodes[1]!, 11)]);
  for (const [key, answers] of results) {
    expect(answers).toHaveLength(4);
    expect(
      answers.filter(({ outcome }) => outcome === 'stored'),
      key,
    ).toHaveLength(1);
    expect(new Set(answers.map((answer) => `${stored(answer).seq} ${stored(answer).id}`)).size, key).toBe(1);
  }
  for (const id of rooms) {
    const rows = await log(id);
    expect(rows.map(({ seq }) => Number(seq))).toEqual(Array.from({ length: 180 }, (_, n) => n + 1));
    const times = rows.map(({ created_at }) => created_at.getTime());
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const [counted] = await dataSource.query<{ count: string }[]>(
      'select count(*) from deliveries d join messages m using (conversation_id, seq) where conversation_id = $1 and d.user_id <> m.sender_id',
      [id],
    );
    const [all] = await dataSource.query<{ count: string }[]>(
      'select count(*) from deliveries where conversation_id = $1',
      [id],
    );
    expect([counted?.count, all?.count]).toEqual(['360', '360']);
  }
});

test('With members that come and go: each message is a member’s at its commit, and queued for just the members of then (P10)', async () => {
  await conversations.addMember(room, 'owner', 'reader');
  const flickering = new AbortController();
  const flicker = (async () => {
    for (let n = 0; n < 200; n += 1) {
      await conversations.addMember(room, 'owner', 'guest');
      await conversations.removeMember(room, 'owner', 'guest');
    }
    flickering.abort();
  })();
  const outcomes = new Map<string, string>();
  for (let n = 0; !flickering.signal.aborted; n += 1) {
    await Promise.all(
      nodes.flatMap((store, index) =>
        ['guest', 'owner'].map(async (user) => {
          const key = `${user}-${n}-${index}`;
          outcomes.set(key, (await store.append(item(user, key))).outcome);
        }),
      ),
    );
  }
  await flicker;
  const rows = await log();
  expect(rows.map(({ seq }) => Number(seq))).toEqual(rows.map((_, n) => n + 1));
  const kept = new Set(rows.map(({ client_message_id: key }) => key));
  for (const [key, outcome] of outcomes) expect(outcome === 'stored', key).toBe(kept.has(key));
  expect([...outcomes].filter(([key, outcome]) => key.startsWith('owner') && outcome !== 'stored')).toEqual(
    [],
  );
  const waiting = await queue();
  const of = (user: string): number[] =>
    waiting.filter(({ user_id }) => user_id === user).map(({ seq }) => Number(seq));
  expect(of('reader')).toEqual(rows.map((_, n) => n + 1));
  expect(of('owner')).toEqual(
    rows.filter(({ sender_id }) => sender_id === 'guest').map(({ seq }) => Number(seq)),
  );
  // Its queue went with its membership.
  expect(of('guest')).toEqual([]);
});

test('A send that meets a removal under way waits for it, and is then judged and dated by what holds (P10)', async () => {
  await conversations.addMember(room, 'owner', 'guest');
  const { sends, released } = await withClient(database.url, async (removal) => {
    await removal.query('begin');
    await removal.query(`select remove_member($1, 'owner', 'guest')`, [room]);
    const sends = Promise.all(['guest', 'owner'].map((user) => nodes[0]!.append(item(user, 'meets'))));
    await untilWaiting('append_messages');
    const { rows } = await removal.query<{ now: Date }>('select clock_timestamp()::timestamptz(3) as now');
    await removal.query('commit');
    return { sends, released: rows[0]?.now as Date };
  });
  const [guest, owner] = await sends;
  expect(guest).toEqual({ outcome: 'not_found' });
  expect(stored(owner as AppendResult)).toMatchObject({ outcome: 'stored', seq: 1 });
  expect(stored(owner as AppendResult).createdAt.getTime()).toBeGreaterThanOrEqual(released.getTime());
  expect(await queue()).toEqual([]);
});

test('Deleted meanwhile: not_found, and nothing remains', async () => {
  const sends = Array.from({ length: 60 }, async (_, n) => {
    if (n === 30) await conversations.delete(room, 'owner');
    return (await nodes[n % 2]!.append(item('owner', `m${n}`))).outcome;
  });
  const outcomes = new Set(await Promise.all(sends));
  expect([...outcomes].every((outcome) => outcome === 'stored' || outcome === 'not_found')).toBe(true);
  expect((await nodes[0]!.append(item('owner', 'late'))).outcome).toBe('not_found');
  expect(await log()).toEqual([]);
  expect(await queue()).toEqual([]);
});

test('An item that PostgreSQL refuses fails alone; its batch is stored', async () => {
  const items = Array.from({ length: 20 }, (_, n) =>
    item('owner', `m${n}`, n === 13 ? { content: 'a\u0000' } : {}),
  );
  const results = await Promise.allSettled(items.map((one) => nodes[0]!.append(one)));
  expect(results.map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(1);
  expect(results[13]).toMatchObject({ status: 'rejected', reason: { code: 'internal' } });
  expect(await log()).toHaveLength(19);
});

test('A question and its stream are one commit; a repeat gives the first’s stream and makes none (P2)', async () => {
  const first = asking('owner', 'q');
  const others = Array.from({ length: 6 }, () => asking('owner', 'q'));
  const results = await Promise.all([first, ...others].map((one, n) => nodes[n % 2]!.append(one)));
  const ids = new Set(results.map((result) => stored(result).streamId));
  expect(ids.size).toBe(1);
  const streams = await dataSource.query<{ id: string; reply_to: object }[]>(
    'select id, reply_to from streams where conversation_id = $1',
    [room],
  );
  const [row] = await log();
  expect(streams).toEqual([
    { id: [...ids][0], reply_to: { messageId: row?.id, seq: 1, clientMessageId: 'q' } },
  ]);
});

test('Beyond STREAM_MAX_PER_USER nothing is stored, in the same batch too; what asks for no answer is', async () => {
  await dataSource.query('update streams set completed_at = now()');
  const items = [...Array.from({ length: 5 }, (_, n) => asking('owner', `q${n}`)), item('owner', 'talk')];
  const results = await Promise.all(items.map((one) => nodes[0]!.append(one)));
  expect(results.map(({ outcome }) => outcome)).toEqual([
    ...['stored', 'stored', 'stored', 'too_many_streams', 'too_many_streams', 'stored'],
  ]);
  expect((await log()).map(({ client_message_id: id }) => id)).toEqual(['q0', 'q1', 'q2', 'talk']);
  expect((await nodes[1]!.append(asking('owner', 'q3'))).outcome).toBe('too_many_streams');
  expect((await nodes[1]!.append(asking('owner', 'q1'))).outcome).toBe('duplicate');
  await dataSource.query('update streams set completed_at = now() where conversation_id = $1', [room]);
  expect((await nodes[1]!.append(asking('owner', 'q3'))).outcome).toBe('stored');
});
