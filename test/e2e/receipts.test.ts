import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Message, QueueItem } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http.js';
import { conversationOf, send, connectAway, queueRows } from '../support/queue.js';
import { startServer, type TestServer } from '../support/server.js';

let server: TestServer;

beforeAll(async () => {
  server = await startServer({
    env: { QUEUE_ACK_TIMEOUT_MS: '300', QUEUE_MAX_ATTEMPTS: '3', QUEUE_MAX_SIZE: '150' },
  });
});

afterAll(async () => {
  await server.stop();
});

function call(route: Parameters<typeof http>[1], userId: string, body?: object, roles?: string[]) {
  return http(server.url, route, { userId, ...(body && { body }), ...(roles && { roles }) });
}

describe('Acknowledgements', () => {
  test('message:ack is cumulative, moves both positions, is announced to the others and survives a restart', async () => {
    const ann = await TestClient.connect(server.url, 'ann');
    await conversationOf(server, ann, 'q-ack', ['bob-ack']);
    const bob = await TestClient.connect(server.url, 'bob-ack', { acks: true });
    await bob.ask('conversation:join', { conversationId: 'q-ack' });
    for (const text of ['a', 'b', 'c']) await send(ann, 'q-ack', text);
    await bob.waitFor('message:new', ({ seq }) => seq === 3);
    expect(await queueRows(server, 'bob-ack')).toBe(3);
    await bob.ask('message:ack', { conversationId: 'q-ack', seq: 2, read: true });
    expect(await queueRows(server, 'bob-ack')).toBe(1);
    await bob.ask('message:ack', { conversationId: 'q-ack', seq: 1_000_000 });
    const receipt = await ann.waitFor('message:receipt', ({ deliveredSeq }) => deliveredSeq === 3);
    expect(receipt).toMatchObject({ userId: 'bob-ack', readSeq: 2 });
    expect(bob.all('message:receipt')).toEqual([]);
    const { members } = await ann.ask('conversation:join', { conversationId: 'q-ack' });
    expect(members.find(({ userId }) => userId === 'bob-ack')).toMatchObject({ deliveredSeq: 3, readSeq: 2 });
    bob.close();
    ann.close();
    await server.kill();
    server = await server.restart();
    const again = await TestClient.connect(server.url, 'ann');
    const after = await again.ask('conversation:join', { conversationId: 'q-ack' });
    expect(after.members).toEqual(members);
    again.close();
  });

  test('of a foreign or missing conversation are not_found alike (P10)', async () => {
    const ann = await TestClient.connect(server.url, 'ann');
    await conversationOf(server, ann, 'q-foreign', []);
    const eve = await TestClient.connect(server.url, 'eve');
    for (const conversationId of ['q-foreign', 'q-missing']) {
      const answer = await eve.raw('message:ack', { conversationId, seq: 1 });
      expect(answer).toMatchObject({ ok: false, error: { code: 'not_found' } });
    }
    expect((await call('GET /api/ws/queue/ann', 'eve')).status).toBe(404);
    expect((await call('DELETE /api/ws/queue/ann', 'eve')).status).toBe(404);
    eve.close();
    ann.close();
  });
});

test('Live, queued and history give the same bytes (P3)', async () => {
  const ann = await TestClient.connect(server.url, 'ann');
  await conversationOf(server, ann, 'q-bytes', ['bob-bytes', 'carl-bytes']);
  const carl = await TestClient.connect(server.url, 'carl-bytes', { acks: true });
  await carl.ask('conversation:join', { conversationId: 'q-bytes' });
  const metadata = { z: 1, a: [1.5, -0, 'ü', { deep: null }], 10: 'ten', 9: 'nine' };
  const content = 'Zeile 1\n\t„Grüße“ 👩‍👩‍👧 \u202Etest';
  await ann.ask('message:send', {
    conversationId: 'q-bytes',
    clientMessageId: '1',
    content,
    metadata,
    respond: false,
  });
  const live = await carl.waitFor('message:new');
  const queued: Message[] = [];
  const bob = await connectAway(server, 'bob-bytes', ({ items }, ack) => {
    for (const item of items) if (item.kind === 'message') queued.push(item.message);
    ack();
  });
  await eventually(() => queued.length === 1, 'the queued message');
  const { messages } = await bob.ask('message:history', { conversationId: 'q-bytes' });
  const overHttp = await (await call('GET /api/conversations/q-bytes/messages', 'ann')).text();
  const bytes = JSON.stringify(live);
  expect(JSON.stringify(queued[0])).toBe(bytes);
  expect(JSON.stringify(messages[0])).toBe(bytes);
  expect(overHttp).toContain(bytes);
  for (const client of [ann, bob, carl]) client.close();
});

test('A system message to one user waits for it, by admins only', async () => {
  const body = { content: 'The cellar will be painted.', metadata: { level: 'info' } };
  expect((await call('POST /api/ws/users/dora/messages', 'eve', body)).status).toBe(403);
  expect((await call('POST /api/ws/users/dora/messages', 'root', body, ['admin'])).status).toBe(200);
  const got: QueueItem[] = [];
  const dora = await connectAway(server, 'dora', ({ items }, ack) => {
    got.push(...items);
    ack();
  });
  await eventually(() => got.length === 1, 'the system message');
  expect(got[0]).toMatchObject({ kind: 'system', message: { topic: null, ...body } });
  await eventually(async () => (await queueRows(server, 'dora')) === 0, 'an empty queue');
  dora.close();
});

test('A removed member loses the queue of that conversation; clearing counts as dropped', async () => {
  const ann = await TestClient.connect(server.url, 'ann');
  await conversationOf(server, ann, 'q-gone', ['bob-gone']);
  await conversationOf(server, ann, 'q-stay', ['bob-gone']);
  await send(ann, 'q-gone', 'gone');
  await send(ann, 'q-stay', 'stay');
  expect((await call('DELETE /api/conversations/q-gone/members/bob-gone', 'ann')).status).toBe(204);
  expect(await queueRows(server, 'bob-gone')).toBe(1);
  expect((await call('DELETE /api/ws/queue/bob-gone', 'bob-gone')).status).toBe(204);
  const page = (await (await call('GET /api/ws/queue/bob-gone', 'bob-gone')).json()) as { items: object[] };
  expect(page.items).toMatchObject([{ state: 'dropped', conversationId: 'q-stay' }]);
  ann.close();
});

test('My conversations come by their latest activity, with unread counts, page by page', async () => {
  const ann = await TestClient.connect(server.url, 'ann-list');
  for (const id of ['l1', 'l2', 'l3']) {
    await conversationOf(server, ann, id, ['bob-list']);
    await send(ann, id, `last of ${id}`);
  }
  await send(ann, 'l1', 'newest');
  const first = (await (await call('GET /api/conversations?limit=2', 'bob-list')).json()) as {
    items: { id: string; unread: number; lastMessage: { content: string } }[];
    nextCursor: string;
  };
  expect(first.items).toMatchObject([
    { id: 'l1', unread: 2, lastMessage: { content: 'newest' } },
    { id: 'l3', unread: 1 },
  ]);
  const rest = await (
    await call(`GET /api/conversations?limit=2&cursor=${first.nextCursor}`, 'bob-list')
  ).json();
  expect(rest).toMatchObject({ items: [{ id: 'l2', unread: 1 }] });
  await call('POST /api/conversations/l1/ack', 'bob-list', { seq: 2, read: true });
  const again = await (await call('GET /api/conversations?limit=1', 'bob-list')).json();
  expect(again).toMatchObject({ items: [{ id: 'l1', unread: 0 }] });
  ann.close();
});
