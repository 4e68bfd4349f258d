import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { TestClient } from '../support/client.js';
import { http } from '../support/http.js';
import { startServer, type TestServer } from '../support/server.js';

const BODY = { content: 'Maintenance at noon.', metadata: { level: 'info' } };
const open: TestClient[] = [];
let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});

afterEach(() => {
  for (const client of open.splice(0)) client.close();
});

afterAll(async () => {
  await server.stop();
});

async function connect(userId: string): Promise<TestClient> {
  const client = await TestClient.connect(server.url, userId);
  open.push(client);
  return client;
}

async function publish(topic: string, content = BODY.content, roles = ['admin']): Promise<number> {
  const call = { userId: 'root', roles, body: { ...BODY, content } };
  return (await http(server.url, `POST /api/ws/topics/${topic}/messages`, call)).status;
}

test('Only the subscribers of a topic receive its system messages', async () => {
  const ann = await connect('ann');
  const bob = await connect('bob');
  expect(await ann.ask('topic:subscribe', { topics: ['maintenance', 'news:de'] })).toMatchObject({
    topics: ['maintenance', 'news:de'],
  });
  await bob.ask('topic:subscribe', { topics: ['news:de'] });
  expect(await publish('maintenance')).toBe(200);
  const message = await ann.waitFor('system:message');
  expect(message).toMatchObject({ topic: 'maintenance', ...BODY });
  expect(Date.parse(message.createdAt)).toBeGreaterThan(Date.now() - 60_000);
  await publish('news:de');
  await bob.waitFor('system:message', ({ topic }) => topic === 'news:de');
  expect(bob.all('system:message')).toHaveLength(1);
});

test('A client that has unsubscribed receives no more messages', async () => {
  const ann = await connect('ann');
  await ann.ask('topic:subscribe', { topics: ['a', 'b', 'a'] });
  expect(await ann.ask('topic:unsubscribe', { topics: ['a', 'never'] })).toMatchObject({ topics: ['b'] });
  await publish('a');
  await publish('b');
  await ann.waitFor('system:message', ({ topic }) => topic === 'b');
  expect(ann.all('system:message').map(({ topic }) => topic)).toEqual(['b']);
});

test('Only admins can publish, and only to valid topic names', async () => {
  expect(await publish('maintenance', 'x', [])).toBe(403);
  expect(await publish('not%20allowed')).toBe(400);
  expect(await publish('x'.repeat(129))).toBe(400);
});

test('Topic names and their number are bounded', async () => {
  const ann = await connect('ann');
  for (const topics of [
    [],
    [''],
    ['a b'],
    ['x'.repeat(129)],
    [1],
    'news',
    Array.from({ length: 65 }, String),
  ]) {
    const ack = await ann.raw('topic:subscribe', { topics });
    expect(ack).toMatchObject({ ok: false, error: { code: 'invalid_payload' } });
  }
  await ann.ask('topic:subscribe', { topics: Array.from({ length: 64 }, (_, index) => `t${index}`) });
  expect(await ann.raw('topic:subscribe', { topics: ['one-more'] })).toMatchObject({
    error: { code: 'conflict' },
  });
  await publish('one-more');
  await publish('t63', 'the last');
  await ann.waitFor('system:message', ({ content }) => content === 'the last');
  expect(ann.all('system:message')).toHaveLength(1);
});
