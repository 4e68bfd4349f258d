import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Statement } from '../../src/platform/database/dedicated-connection.js';
import type { DedicatedConnections } from '../../src/platform/database/dedicated-connections.js';
import type { QueueItem } from '../../src/protocol/index.js';
import type { Positions } from '../../src/queue/ack.store.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { item, storesOn, type Stores } from '../support/stores.js';

const CONVERSATIONS = 2000;
const MESSAGES_EACH = 500;
const STREAMS = 5000;
const CHUNKS_EACH = 40;
const QUEUED = 1000;
const LARGE = [
  'conversations',
  'members',
  'messages',
  'deliveries',
  'ended_deliveries',
  'streams',
  'stream_chunks',
];

/** A node of a plan as auto_explain gives it. */
interface Plan {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Index Cond'?: string;
  'TID Cond'?: string;
  Plans?: Plan[];
}

interface Explained {
  'Query Text': string;
  Plan: Plan;
}

let database: TestDatabase;
let stores: Stores;
let client: Client;
let explained: Explained[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client({ connectionString: database.url });
  await client.connect();
  stores = storesOnOne(client);
  await fill();
  client.on('notice', ({ message }) => {
    const json = message?.slice(message.indexOf('{')) ?? '';
    if (message?.includes('plan:')) explained.push(JSON.parse(json) as Explained);
  });
  await client.query(`load 'auto_explain'`);
  await client.query(
    `set client_min_messages = log; set auto_explain.log_min_duration = 0; set auto_explain.log_format = json;
     set auto_explain.log_nested_statements = on`,
  );
}, 120_000);

afterAll(async () => {
  await client.end();
  await database.drop();
});

/** A million messages in 2,000 conversations of 4; 200,000 chunks; for one user a full queue. */
async function fill(): Promise<void> {
  await client.query(`set synchronous_commit = off; set maintenance_work_mem = '256MB'`);
  await client.query('alter table messages drop constraint messages_pk; drop index messages_once');
  await client.query(
    `insert into conversations (id, last_seq) select 'c' || c, ${MESSAGES_EACH} from generate_series(1, ${CONVERSATIONS}) c`,
  );
  await client.query(
    `insert into members (conversation_id, user_id, role)
     select 'c' || c, 'u' || c + u, case u when 0 then 'owner' else 'member' end
     from generate_series(1, ${CONVERSATIONS}) c, generate_series(0, 3) u`,
  );
  await client.query(
    `insert into messages (conversation_id, seq, id, sender_id, role, client_message_id, content, metadata, created_at)
     select 'c' || c, s, gen_random_uuid(), 'u' || c, 'user', s::text, 'message ' || s, '{}', now()
     from generate_series(1, ${CONVERSATIONS}) c, generate_series(1, ${MESSAGES_EACH}) s`,
  );
  await client.query('alter table messages add constraint messages_pk primary key (conversation_id, seq)');
  await client.query(
    'create unique index messages_once on messages (conversation_id, sender_id, client_message_id)',
  );
  await client.query(
    `insert into deliveries (user_id, conversation_id, seq)
     select 'u' || c + 1, 'c' || c, s from generate_series(1, ${CONVERSATIONS}) c, generate_series(401, 500) s`,
  );
  await client.query(
    `insert into deliveries (user_id, conversation_id, seq)
     select 'full', 'c' || c, s from generate_series(1, 2) c, generate_series(1, ${QUEUED / 2}) s`,
  );
  await client.query(
    `insert into members (conversation_id, user_id) select 'c' || c, 'full' from generate_series(1, 2) c`,
  );
  await client.query(
    `insert into ended_deliveries (user_id, id, conversation_id, seq, attempts, state, told, created_at)
     select 'u' || n % 5000, -n, 'c' || n % 500, n, 0, 'dropped', true, now() from generate_series(1, 100000) n`,
  );
  await client.query(
    `insert into streams (id, conversation_id, message_id, reply_to, user_id, provider, model, transport, options,
       started_at, last_sequence, status)
     select lpad(n::text, 32, '0')::uuid, 'c' || 1 + n % ${CONVERSATIONS}, gen_random_uuid(), '{"seq":100}', 'u' || n, 'guide', 'guide',
       'websocket', '{"visible":true,"includeContext":true}', now(), ${CHUNKS_EACH - 1}, 'streaming'
     from generate_series(1, ${STREAMS}) n`,
  );
  await client.query(
    `insert into stream_chunks (stream_id, sequence, type, content, created_at)
     select lpad(n::text, 32, '0')::uuid, s, 'content', 'some words', now()
     from generate_series(1, ${STREAMS}) n, generate_series(0, ${CHUNKS_EACH - 1}) s`,
  );
  await client.query('vacuum analyze');
}

/** The stores, all on one session: the one that explains what it does. */
function storesOnOne(session: Client): Stores {
  const query = async (text: string, values: unknown[]): Promise<object[]> =>
    (await session.query<object>(text, values)).rows;
  const ask = async (statement: Statement, values: readonly unknown[]): Promise<object[]> =>
    (await session.query<object>({ ...statement, values: [...values] })).rows;
  return storesOn(
    // Of repositories only their own statements are explained here.
    { query, getRepository: () => ({ query }) } as unknown as DataSource,
    { open: () => ({ query: ask }) } as unknown as DedicatedConnections,
  );
}

/** What `work` read otherwise than by a condition on an index, each with its statement; and every table it touched. */
async function plansOf(work: () => Promise<unknown>): Promise<{ unindexed: string[]; touched: Set<string> }> {
  explained = [];
  await work();
  const touched = new Set<string>();
  const unindexed: string[] = [];
  for (const { 'Query Text': text, Plan: plan } of explained) {
    for (const node of nodesOf(plan)) {
      const { 'Node Type': type, 'Relation Name': table, 'Index Name': index } = node;
      if (table !== undefined && LARGE.includes(table)) touched.add(table);
      else if (index === undefined) continue;
      const isIndexed = node['Index Cond'] !== undefined || node['TID Cond'] !== undefined;
      // A bitmap's condition stands in the index scan below it.
      if (isIndexed || type === 'ModifyTable' || type === 'Bitmap Heap Scan') continue;
      unindexed.push(`${type} on ${index ?? table} in ${text}`);
    }
  }
  return { unindexed, touched };
}

function nodesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

describe('On a million messages, by indexes alone:', () => {
  const full = { userId: 'full', afterId: '0', live: new Map([['c9', 5]]) };
  const stream = { streamId: '00000000-0000-0000-0000-000000000007', epoch: 1 };
  const answer = {
    ...{
      streamId: '00000000-0000-0000-0001-000000000000',
      messageId: '00000000-0000-0000-0001-000000000001',
    },
    ...{ provider: 'guide', model: 'guide', transport: 'websocket' as const, options: {} },
  };
  const fifty = Array.from({ length: 50 }, (_, n) => n + 1);
  const hot: [string, string[], () => Promise<unknown>][] = [
    [
      'appending messages',
      ['conversations', 'members', 'messages', 'streams', 'deliveries'],
      () =>
        Promise.all([
          ...fifty.map((n) => stores.append.append(item(`c${n}`, `u${n}`, 'new'))),
          stores.append.append(item('c7', 'u7', '7')),
          stores.append.append({ ...item('c7', 'u7', 'question'), answer }),
        ]),
    ],
    [
      'acknowledging',
      ['conversations', 'members', 'deliveries'],
      () => Promise.all(fifty.map((n) => stores.acks.ack(acked(`u${n + 1}`, `c${n}`, 450)))),
    ],
    [
      'joining: how each stands',
      ['conversations', 'members'],
      () => Promise.all(fifty.map((n) => stores.conversations.findMembership(`c${n}`, `u${n + 1}`))),
    ],
    [
      'joining: what each is told',
      ['conversations', 'members', 'messages', 'streams', 'stream_chunks'],
      () =>
        Promise.all(
          fifty.map((n) =>
            stores.snapshots.of({
              ...{ conversationId: `c${n}`, userId: `u${n + 1}` },
              ...(n % 2 === 0 && { afterSeq: 480 }),
            }),
          ),
        ),
    ],
    [
      'offering',
      ['deliveries', 'messages', 'ended_deliveries'],
      () =>
        Promise.all(
          [full, ...fifty.map((n) => ({ ...full, userId: `u${n}` }))].map((one) =>
            stores.deliveries.next(one),
          ),
        ),
    ],
    [
      'counting attempts',
      ['deliveries', 'members'],
      () => stores.deliveries.countAttempt('full', ['200001', '200002', '200003']),
    ],
    ['trimming', ['deliveries', 'ended_deliveries'], () => stores.admin.trim('full')],
    ['finding whose queue to trim', ['deliveries'], () => stores.admin.usersWithQueue('u5', 100)],
    [
      'reading history behind a position',
      ['messages', 'members'],
      () => stores.messages.page({ conversationId: 'c5', afterSeq: 100, limit: 50, readerId: 'u5' }),
    ],
    [
      'reading history before a position',
      ['messages', 'members'],
      () => stores.messages.page({ conversationId: 'c5', beforeSeq: 100, limit: 50, readerId: 'u5' }),
    ],
    [
      'listing conversations',
      ['members', 'conversations', 'messages'],
      () => stores.conversations.ofUser('u5', null, 50),
    ],
    [
      'appending chunks',
      ['streams', 'stream_chunks'],
      () =>
        stores.chunks.append({
          ...stream,
          chunks: [{ sequence: CHUNKS_EACH, type: 'content', content: 'x' }],
        }),
    ],
    [
      'beginning answers',
      ['streams', 'messages'],
      () => Promise.all(fifty.map((n) => stores.prompts.findNew(String(n).padStart(32, '0')))),
    ],
    ['reading chunks', ['stream_chunks'], () => stores.chunks.read(stream.streamId, 10)],
    [
      'deleting a conversation',
      ['members', 'deliveries', 'ended_deliveries', 'streams', 'stream_chunks', 'messages'],
      () => stores.conversations.delete('c500', 'u500'),
    ],
  ];

  test.each(hot)('%s', async (_name, tables, work) => {
    const { unindexed, touched } = await plansOf(work);
    expect(unindexed).toEqual([]);
    expect([...touched]).toEqual(expect.arrayContaining(tables));
  });
});

test('A full queue of 1,000 is drained in well under two seconds', async () => {
  await client.query('set auto_explain.log_min_duration = -1');
  const began = performance.now();
  let count = 0;
  for (let last = '0', more = true; more;) {
    const { items } = await stores.deliveries.next({ userId: 'full', afterId: last, live: new Map() });
    for (const conversationId of ['c1', 'c2']) {
      await stores.acks.ack(acked('full', conversationId, lastSeq(items, conversationId)));
    }
    count += items.length;
    last = items.at(-1)?.queueId ?? last;
    more = items.length > 0;
  }
  const tookMs = performance.now() - began;
  console.log(`A queue of ${count} was drained in ${tookMs.toFixed(0)} ms.`);
  expect(count).toBeGreaterThanOrEqual(QUEUED);
  expect(tookMs).toBeLessThan(2000);
});

function acked(userId: string, conversationId: string, deliveredSeq: number): Positions {
  return { userId, conversationId, deliveredSeq, readSeq: 0 };
}

function lastSeq(items: QueueItem[], conversationId: string): number {
  const seqs = items.map(({ message }) =>
    'seq' in message && message.conversationId === conversationId ? message.seq : 0,
  );
  return Math.max(0, ...seqs);
}
