import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { QueueAdminStore } from '../../src/queue/queue-admin.store.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { seedOfRun } from '../support/random.js';
import { item, openStores, type OpenStores, type Stores } from '../support/stores.js';

const USERS = 4;
const CONVERSATIONS = 2;
const OWNER = 0;
const KEYS = 12;

/** Small bounds, so that they are met. Two nodes, so that the same is done by two at once. */
const ENV = { QUEUE_MAX_SIZE: '6', QUEUE_MAX_ATTEMPTS: '2', QUEUE_TTL_MS: '60000' };

let database: TestDatabase;
let nodes: [OpenStores, OpenStores];

beforeAll(async () => {
  database = await createTestDatabase();
  nodes = [await openStores(database.url, ENV), await openStores(database.url, ENV)];
});

afterAll(async () => {
  for (const node of nodes) await node.close();
  await database.drop();
});

type Step = { node: 0 | 1; user: number; conversation: number } & (
  | { do: 'send'; key: number }
  | { do: 'ack'; seq: number; read: boolean }
  | { do: 'drain' | 'attempt' | 'expire' | 'trim' | 'clear' | 'add' | 'remove' }
);

const place = {
  node: fc.constantFrom(0 as const, 1 as const),
  user: fc.nat(USERS - 1),
  conversation: fc.nat(CONVERSATIONS - 1),
};
const send = fc.record({ do: fc.constant('send' as const), key: fc.nat(KEYS - 1), ...place });
const ack = fc.record({
  ...{ do: fc.constant('ack' as const), seq: fc.integer({ min: 1, max: 30 }), read: fc.boolean(), ...place },
});
const other = (...names: Exclude<Step['do'], 'send' | 'ack'>[]) =>
  fc.record({ do: fc.constantFrom(...names), ...place });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: send },
  { weight: 3, arbitrary: ack },
  { weight: 4, arbitrary: other('drain', 'attempt') },
  { weight: 2, arbitrary: other('expire', 'trim', 'clear') },
  { weight: 2, arbitrary: other('add', 'remove') },
);
/** Steps of one wave run at once, on connections of their own; the waves one after another. */
const waves = fc.array(fc.array(step, { minLength: 1, maxLength: 14 }), { minLength: 1, maxLength: 8 });

let run = 0;

/** Names of this run alone, so that the runs share a database. */
function names() {
  run += 1;
  const prefix = `r${run}`;
  return {
    user: (n: number) => `${prefix}-u${n}`,
    conversation: (n: number) => `${prefix}-c${n}`,
    prefix: `${prefix}-%`,
  };
}

type Names = ReturnType<typeof names>;

test('any interleaving of sends, acks, drains, expiry, trims and changes of members keeps the promises (P1, P2, P8, P10)', async () => {
  const property = fc.asyncProperty(waves, async (all) => {
    const named = names();
    await prepare(named);
    let before = await positions(named);
    for (const wave of all) {
      await Promise.all(wave.map((one) => perform(named, one)));
      expect(await broken(named)).toEqual([]);
      const after = await positions(named);
      for (const [member, at] of after) expect(at).toBeGreaterThanOrEqual(before.get(member) ?? 0);
      before = after;
    }
  });
  await fc.assert(property, { seed: seedOfRun(), numRuns: 40, endOnFailure: true });
}, 90_000);

test('An ack that races the counting of an offer leaves nothing of what it covers in the queue (P8)', async () => {
  const [here, there] = nodes;
  const { user, conversation } = names();
  const [id, ann, bob] = [conversation(0), user(0), user(1)];
  await here.conversations.create(id, { userId: ann }, null, 'members');
  await here.conversations.addMember(id, ann, bob);
  for (let round = 1; round <= 60; round += 1) {
    const sends = Array.from({ length: 5 }, (_, n) => here.append.append(item(id, ann, `${round}-${n}`)));
    await Promise.all(sends);
    const { items } = await here.deliveries.next({ userId: bob, afterId: '0', live: new Map() });
    const queueIds = items.map(({ queueId }) => queueId);
    await Promise.all([
      here.deliveries.countAttempt(bob, queueIds),
      there.acks.ack({ userId: bob, conversationId: id, deliveredSeq: round * 5, readSeq: 0 }),
    ]);
    const left = await here.deliveries.next({ userId: bob, afterId: '0', live: new Map() });
    expect(left.items).toEqual([]);
  }
});

test('A page of the log is empty for a user who is not a member at the moment of reading (P10)', async () => {
  const { append, conversations, messages } = nodes[0];
  const { user, conversation } = names();
  const [conversationId, ann, bob] = [conversation(0), user(0), user(1)];
  await conversations.create(conversationId, { userId: ann }, null, 'members');
  await conversations.addMember(conversationId, ann, bob);
  await append.append(item(conversationId, ann, 'first'));
  for (const way of [{ afterSeq: 0 }, { beforeSeq: 9 }, {}]) {
    const page = await messages.page({ conversationId, ...way, limit: 9, readerId: bob });
    expect(page.messages).toHaveLength(1);
  }
  await conversations.removeMember(conversationId, ann, bob);
  for (const way of [{ afterSeq: 0 }, { beforeSeq: 9 }, {}]) {
    const page = await messages.page({ conversationId, ...way, limit: 9, readerId: bob });
    expect(page).toEqual({ messages: [], hasMore: false });
  }
});

async function prepare({ user, conversation }: Names): Promise<void> {
  const { conversations } = nodes[0];
  for (let c = 0; c < CONVERSATIONS; c += 1) {
    await conversations.create(conversation(c), { userId: user(OWNER) }, null, 'members');
    await conversations.addMember(conversation(c), user(OWNER), user(1));
  }
}

async function perform(named: Names, one: Step): Promise<void> {
  const { append, acks, admin, config, conversations, database: pool } = nodes[one.node];
  const userId = named.user(one.user);
  const conversationId = named.conversation(one.conversation);
  switch (one.do) {
    case 'send': {
      const result = await append.append(item(conversationId, userId, `k${one.key}`));
      if (result.outcome === 'too_many_streams') throw new Error('nobody asked for an answer');
      return;
    }
    case 'ack': {
      const readSeq = one.read ? one.seq : 0;
      await acks.ack({ userId, conversationId, deliveredSeq: one.seq, readSeq });
      return;
    }
    case 'drain':
      return drain(nodes[one.node], userId);
    case 'attempt': {
      const { items } = await nodes[one.node].deliveries.next({ userId, afterId: '0', live: new Map() });
      return nodes[one.node].deliveries.countAttempt(
        userId,
        items.map(({ queueId }) => queueId),
      );
    }
    case 'expire':
      await new QueueAdminStore(pool, { ...config, QUEUE_TTL_MS: 0 }).trim(userId);
      return;
    case 'trim':
      await admin.trim(userId);
      return;
    case 'clear':
      return admin.clear(userId);
    case 'add':
      await conversations.addMember(conversationId, named.user(OWNER), userId);
      return;
    case 'remove':
      await conversations.removeMember(conversationId, named.user(OWNER), userId);
      return;
  }
}

/** As a connection drains: what is offered is in order in each conversation, and is acked up to its last. */
async function drain({ deliveries, admin, acks }: Stores, userId: string): Promise<void> {
  await admin.trim(userId);
  const { items } = await deliveries.next({ userId, afterId: '0', live: new Map() });
  const last = new Map<string, number>();
  for (const { message } of items) {
    if (!('seq' in message)) continue;
    expect(message.seq).toBeGreaterThan(last.get(message.conversationId) ?? 0);
    last.set(message.conversationId, message.seq);
  }
  await Promise.all(
    [...last].map(([conversationId, deliveredSeq]) =>
      acks.ack({ userId, conversationId, deliveredSeq, readSeq: 0 }),
    ),
  );
}

async function positions({ prefix }: Names): Promise<Map<string, number>> {
  const rows = await nodes[0].database.query<{ member: string; delivered: number }[]>(
    `select conversation_id || ' ' || user_id as member, delivered_seq::int as delivered from members
     where conversation_id like $1`,
    [prefix],
  );
  return new Map(rows.map(({ member, delivered }) => [member, delivered]));
}

/** Names of the invariants that do not hold. */
async function broken({ prefix }: Names): Promise<{ rule: string; violations: string }[]> {
  return nodes[0].database.query<{ rule: string; violations: string }[]>(
    `with c as (select * from conversations where id like $1),
      m as (select * from members where conversation_id like $1),
      g as (select * from messages where conversation_id like $1),
      d as (select * from deliveries where conversation_id like $1),
      e as (select * from ended_deliveries where conversation_id like $1),
      -- Every message that a present member was to get, and what has become of it.
      fate as (
        select m.delivered_seq, g.seq,
          (select count(*) from d where d.user_id = m.user_id and d.conversation_id = g.conversation_id and d.seq = g.seq) as queued,
          (select count(*) from e where e.user_id = m.user_id and e.conversation_id = g.conversation_id and e.seq = g.seq) as ended
        from m join g on g.conversation_id = m.conversation_id and g.seq > m.joined_seq and g.sender_id <> m.user_id),
      rules(rule, violations) as (values
        ('seq counts from 1 without holes', (select count(*) from (
           select seq, row_number() over (partition by conversation_id order by seq) as n from g) x where seq <> n)),
        ('last_seq is the number of messages', (select count(*) from c where last_seq <> (
           select count(*) from g where g.conversation_id = c.id))),
        ('one message for a sender''s id', (select count(*) from (
           select 1 from g group by conversation_id, sender_id, client_message_id having count(*) > 1) x)),
        ('deliveries go to members', (select count(*) from d where not exists (
           select from m where m.conversation_id = d.conversation_id and m.user_id = d.user_id))),
        ('nobody gets a delivery of an own message', (select count(*) from d
           join g on g.conversation_id = d.conversation_id and g.seq = d.seq where g.sender_id = d.user_id)),
        ('deliveries lie behind the position', (select count(*) from d
           join m on m.conversation_id = d.conversation_id and m.user_id = d.user_id where d.seq <= m.delivered_seq)),
        ('the queue begins with the membership', (select count(*) from d
           join m on m.conversation_id = d.conversation_id and m.user_id = d.user_id where d.seq <= m.joined_seq)),
        ('positions end with the log', (select count(*) from m join c on c.id = m.conversation_id
           where m.delivered_seq > c.last_seq or m.read_seq > c.last_seq)),
        ('what is read has arrived', (select count(*) from m where m.read_seq > m.delivered_seq)),
        ('the queue is in the order of the log', (select count(*) from (
           select seq, lag(seq) over (partition by user_id, conversation_id order by id) as before from d) x
           where before >= seq)),
        ('a message waits, has ended or was acked, and only once', (select count(*) from fate
           where queued + ended > 1 or (queued + ended = 0 and seq > delivered_seq))))
     select rule, violations from rules where violations > 0`,
    [prefix],
  );
}
