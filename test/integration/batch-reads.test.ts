import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../../src/common/ids.js';
import { toMember, type MemberRow } from '../../src/conversations/conversation.rows.js';
import { LIMITS } from '../../src/protocol/index.js';
import type { Snapshot, SnapshotRequest } from '../../src/streaming/log/snapshots.store.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { item, openStores, type OpenStores } from '../support/stores.js';

const ROOMS = 12;
const MEMBERS = 5;
const MESSAGES = 60;
const QUEUE_MAX_SIZE = 400;

let database: TestDatabase;
let stores: OpenStores;

beforeAll(async () => {
  database = await createTestDatabase();
  stores = await openStores(database.url, { QUEUE_MAX_SIZE: String(QUEUE_MAX_SIZE) });
  await Promise.all(rooms.map((room) => open(room)));
});

afterAll(async () => {
  await stores.close();
  await database.drop();
});

const rooms = Array.from({ length: ROOMS }, (_, n) => `room-${n}`);

/** Its owner and the others; who owns it writes. */
function membersOf(room: string): string[] {
  return Array.from({ length: MEMBERS }, (_, n) => `${room}-user-${n}`);
}

async function open(room: string): Promise<void> {
  const [owner = '', ...others] = membersOf(room);
  await stores.conversations.create(room, { userId: owner, name: 'Ann' }, `Title of ${room}`, 'members');
  for (const other of others) await stores.conversations.addMember(room, owner, other);
  await Promise.all(
    Array.from({ length: MESSAGES }, (_, n) =>
      stores.append.append({ ...item(room, owner, String(n)), metadata: { big: 1e21, ü: ['\u2028', null] } }),
    ),
  );
}

/** Asks a question of the owner's; the id of its answer. */
async function ask(room: string, options: object): Promise<string> {
  const [owner = ''] = membersOf(room);
  const answer = {
    ...{ streamId: newId(), messageId: newId(), provider: 'guide', model: 'guide' },
    ...{ transport: 'websocket' as const, options: { ...options } },
  };
  await stores.append.append({ ...item(room, owner, `ask ${answer.streamId}`), answer });
  return answer.streamId;
}

/** An answer under way, of which `text` is in the log. */
async function begin(room: string, text: string[], visible: boolean): Promise<string> {
  const streamId = await ask(room, { visible });
  const chunks = ['', ...text].map((content, sequence) => {
    return { sequence, type: sequence === 0 ? ('metadata' as const) : ('content' as const), content };
  });
  await stores.chunks.append({ streamId, epoch: 1, chunks });
  return streamId;
}

test('Of snapshots that are asked for at once each member gets its own, byte for byte as history has it; strangers and the missing get none (P3, P10)', async () => {
  const requests = rooms.flatMap((conversationId) => [
    ...membersOf(conversationId).map((userId, n) => ({
      ...{ conversationId, userId },
      ...(n < 3 && { afterSeq: [0, 55, MESSAGES][n] as number }),
    })),
    { conversationId, userId: 'stranger' },
    { conversationId: `${conversationId}-missing`, userId: membersOf(conversationId)[0] as string },
  ]);
  const snapshots = await Promise.all(requests.map((request) => stores.snapshots.of(request)));
  const expected = await Promise.all(requests.map((request) => readSingly(request)));
  expect(snapshots.map((snapshot) => JSON.stringify(snapshot))).toEqual(
    expected.map((snapshot) => JSON.stringify(snapshot)),
  );
  expect(snapshots.filter((snapshot) => snapshot !== null)).toHaveLength(ROOMS * MEMBERS);
});

/** The snapshot of a room without answers, from one read after the other. */
async function readSingly({ conversationId, userId, afterSeq }: SnapshotRequest): Promise<Snapshot | null> {
  const membership = await stores.conversations.membership(conversationId, userId);
  if (!membership) return null;
  const page = { conversationId, afterSeq, limit: LIMITS.defaultPageMessages };
  const members = await stores.database.query<MemberRow[]>(
    'select * from members where conversation_id = $1 order by joined_at, user_id',
    [conversationId],
  );
  return {
    ...{ conversation: membership.conversation, members: members.map(toMember), activeStreams: [] },
    ...(await stores.messages.page(page)),
  };
}

test('A snapshot has the text of each visible running answer so far, and its sequence (P4)', async () => {
  const room = rooms[0] as string;
  const [owner = ''] = membersOf(room);
  const streamId = await begin(room, ['Hello', ', ', 'world'], true);
  const silent = await begin(room, [], true);
  await begin(room, ['hidden'], false);
  const snapshot = await stores.snapshots.of({ conversationId: room, userId: owner });
  expect(snapshot?.activeStreams.map((stream) => [stream.streamId, stream.status, stream.snapshot])).toEqual([
    [streamId, 'streaming', { text: 'Hello, world', sequence: 3 }],
    [silent, 'starting', { text: '', sequence: 0 }],
  ]);
  expect(Date.parse(snapshot?.activeStreams[0]?.startedAt ?? '')).toBeGreaterThan(0);
});

test('A page of a snapshot has at most 256 KiB, but at least one message, and says that there is more', async () => {
  const large = 'x'.repeat(LIMITS.pageBytes / 2);
  await stores.conversations.create('large', { userId: 'ann' }, null, 'members');
  for (const content of [`${large}${large}${large}`, large, large, 'last'])
    await stores.append.append({ ...item('large', 'ann', newId()), content });
  const seqsAfter = async (afterSeq?: number): Promise<[number[], boolean | undefined]> => {
    const snapshot = await stores.snapshots.of({ conversationId: 'large', userId: 'ann', afterSeq });
    return [snapshot?.messages.map(({ seq }) => seq) ?? [], snapshot?.hasMore];
  };
  expect(await seqsAfter(0)).toEqual([[1], true]);
  expect(await seqsAfter(1)).toEqual([[2, 3], true]);
  expect(await seqsAfter(3)).toEqual([[4], false]);
  expect(await seqsAfter()).toEqual([[3, 4], true]);
});

test('Queues that are read in one batch: each user is offered its own, without what it receives live, and with the number of waiting items (P8, P10)', async () => {
  await stores.deliveries.addSystem('room-1-user-2', { topic: null, content: 'news', createdAt: '' });
  const users = rooms.slice(1).flatMap((room) => membersOf(room).map((userId) => ({ room, userId })));
  const found = await Promise.all(
    users.map(({ room, userId }, n) =>
      stores.deliveries.next({ userId, afterId: '0', live: new Map(n % 2 === 0 ? [[room, 10]] : []) }),
    ),
  );
  for (const [n, { items, remaining, dropped, overdue }] of found.entries()) {
    const { room, userId } = users[n] as (typeof users)[number];
    const isWriter = userId === membersOf(room)[0];
    const until = isWriter ? 0 : n % 2 === 0 ? 10 : MESSAGES;
    const seqs = items.flatMap(({ message }) => ('seq' in message ? [message.seq] : []));
    expect(seqs).toEqual(Array.from({ length: until }, (_, seq) => seq + 1));
    expect(items.every(({ message }) => !('seq' in message) || message.conversationId === room)).toBe(true);
    expect(items.length - seqs.length).toBe(userId === 'room-1-user-2' ? 1 : 0);
    expect({ remaining, dropped, overdue }).toEqual({ remaining: 0, dropped: 0, overdue: false });
  }
});

test('A user with a queue that is too long is notified of it, and of how many wait after the first hundred (P8)', async () => {
  const content = { topic: null, content: 'news', createdAt: '' };
  for (let n = 0; n <= QUEUE_MAX_SIZE; n += 1) await stores.deliveries.addSystem('busy', content);
  const busy = { userId: 'busy', afterId: '0', live: new Map<string, number>() };
  const found = await stores.deliveries.next(busy);
  expect(found).toMatchObject({ remaining: QUEUE_MAX_SIZE + 1 - LIMITS.deliverItems, overdue: true });
  expect(await stores.admin.trim('busy')).toBe(1);
  expect(await stores.deliveries.next(busy)).toMatchObject({ dropped: 1, overdue: false });
});

test('Answers that are begun at once each get their own prompt: up to the question, with names once two have spoken', async () => {
  await stores.conversations.create('pair', { userId: 'pair-user-0', name: 'Ann' }, null, 'members');
  // Ids that any object has as names of its own; this one has left, and so has no name any more.
  await stores.conversations.addMember('pair', 'pair-user-0', 'constructor');
  await stores.append.append(item('pair', 'constructor', 'hello'));
  await stores.conversations.removeMember('pair', 'pair-user-0', 'constructor');
  const alone = await ask('room-2', { includeContext: true });
  const bare = await ask('room-3', { includeContext: false });
  const pair = await ask('pair', { includeContext: true });
  await stores.append.append(item('pair', 'pair-user-0', 'later'));
  const begun = await Promise.all([alone, bare, pair, newId()].map((id) => stores.prompts.findNew(id)));
  const prompts = begun.map((row) => row?.prompt?.map(({ content, name }) => [content, name]));
  const before = Array.from({ length: 49 }, (_, n) => [String(MESSAGES - 49 + n), undefined]);
  expect(prompts).toEqual([
    [...before, [`ask ${alone}`, undefined]],
    [[`ask ${bare}`, undefined]],
    [
      ['hello', 'constructor'],
      [`ask ${pair}`, 'Ann'],
    ],
    undefined,
  ]);
  expect(begun.map((row) => row?.status)).toEqual(['starting', 'starting', 'starting', undefined]);
  expect(await stores.prompts.of(pair)).toEqual(begun[2]?.prompt);
});

test('A prompt has at most 256 KiB, but at least the question', async () => {
  const large = 'x'.repeat(LIMITS.pageBytes / 2);
  await stores.conversations.create('long', { userId: 'long-user-0' }, null, 'members');
  for (const content of [large, large])
    await stores.append.append({ ...item('long', 'long-user-0', newId()), content });
  const streamId = await ask('long', { includeContext: true });
  expect((await stores.prompts.of(streamId)).map(({ content }) => content)).toEqual([
    large,
    `ask ${streamId}`,
  ]);
});

test('What another has begun, or this node has begun already, is not begun again (P5)', async () => {
  const streamId = await begin('room-4', [], true);
  expect(await stores.prompts.findNew(streamId)).toBeNull();
  const other = await openStores(database.url);
  const own = await ask('room-4', { visible: true });
  expect(await other.prompts.findNew(own)).toBeNull();
  await other.close();
  expect(await stores.prompts.findNew(own)).toMatchObject({ id: own, epoch: 1 });
});
