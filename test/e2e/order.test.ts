import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest';
import type { Message } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { http } from '../support/http.js';
import { randomOf, seedOfRun } from '../support/random.js';
import { startServer, type TestServer } from '../support/server.js';

const CONVERSATION = 'hot';
const SENDERS = 3;
const SENDS_EACH = 150;
const LISTENERS = 3;

/** Two processes on one database, each with a relay of its own: what the other one stored is found by its gap alone. */
let nodes: [TestServer, TestServer];

beforeAll(async () => {
  const env = { RATE_LIMIT_ENABLED: 'false' };
  const first = await startServer({ env });
  nodes = [first, await startServer({ env, databaseUrl: first.databaseUrl })];
});

afterAll(async () => {
  // The first one's database is dropped with it.
  await nodes[1].stop();
  await nodes[0].stop();
});

interface Listener {
  client: TestClient;
  /** The `seq` of each message as it was shown. */
  seqs: number[];
}

async function join(node: TestServer, userId: string): Promise<Listener> {
  const seqs: number[] = [];
  const client = await TestClient.connect(node.url, userId, {
    ...{ acks: true, on: { 'message:new': (message: Message) => void seqs.push(message.seq) } },
  });
  await client.ask('conversation:join', { conversationId: CONVERSATION, access: 'link' });
  return { client, seqs };
}

test('Two processes append to one hot conversation: every socket sees seq ascending and without a hole (P3)', async () => {
  const seed = seedOfRun();
  onTestFailed(() => console.error(`Failed with TEST_SEED=${seed}.`));
  const random = randomOf(seed);
  const listeners = await Promise.all(
    nodes.flatMap((node, n) => Array.from({ length: LISTENERS }, (_, l) => join(node, `ear-${n}-${l}`))),
  );
  const senders = await Promise.all(
    nodes.flatMap((node, n) => Array.from({ length: SENDERS }, (_, s) => join(node, `mouth-${n}-${s}`))),
  );
  await Promise.all(
    senders.map(async ({ client }) => {
      for (let n = 0; n < SENDS_EACH; n += 1) {
        await send(client, `${n}`);
        if (random.chance(0.1)) await delay(random.below(30));
      }
    }),
  );
  // One more message from each process: behind it, everything before must be there.
  const lasts: number[] = [];
  for (const [n, node] of nodes.entries()) {
    const closer = await TestClient.connect(node.url, `mouth-${n}-0`);
    lasts.push(await send(closer, 'last'));
    closer.close();
  }
  const total = nodes.length * SENDERS * SENDS_EACH;
  expect(lasts).toEqual([total + 1, total + 2]);
  for (const [index, { client, seqs }] of listeners.entries()) {
    const last = lasts[index < LISTENERS ? 0 : 1] as number;
    await client.waitFor('message:new', ({ seq }) => seq === last);
    expect(seqs).toEqual(Array.from({ length: last }, (_, n) => n + 1));
  }
  for (const { client } of [...listeners, ...senders]) client.close();
}, 60_000);

test('A removal by one process is noticed by the other before it shows the next message (P10)', async () => {
  const conversationId = 'shrinking';
  const ann = await TestClient.connect(nodes[0].url, 'ann');
  const bob = await TestClient.connect(nodes[0].url, 'bob', { acks: true });
  for (const client of [ann, bob]) await client.ask('conversation:join', { conversationId, access: 'link' });
  await send(ann, 'before', conversationId);
  await bob.waitFor('message:new', ({ content }) => content === 'before');
  const route = `DELETE /api/conversations/${conversationId}/members/bob` as const;
  expect((await http(nodes[1].url, route, { userId: 'ann' })).status).toBe(204);
  await send(ann, 'after', conversationId);
  // Another connection hears what comes next: by then the room has shown both.
  const other = await TestClient.connect(nodes[0].url, 'ann');
  await other.ask('conversation:join', { conversationId });
  await send(ann, 'later', conversationId);
  await other.waitFor('message:new', ({ content }) => content === 'later');
  await bob.ask('ping', null);
  expect(bob.all('message:new').map(({ content }) => content)).toEqual(['before']);
  for (const client of [ann, bob, other]) client.close();
});

test('A message whose commit was never published is delivered when its sender sends it again (P2, P3)', async () => {
  const conversationId = 'quiet';
  const bob = await TestClient.connect(nodes[0].url, 'bob', { acks: true });
  const here = await TestClient.connect(nodes[0].url, 'ann');
  const there = await TestClient.connect(nodes[1].url, 'ann');
  await bob.ask('conversation:join', { conversationId, access: 'link' });
  await here.ask('conversation:join', { conversationId });
  expect(await send(there, 'again', conversationId)).toBe(1);
  expect(await send(here, 'again', conversationId)).toBe(1);
  expect(await bob.waitFor('message:new')).toMatchObject({ seq: 1, content: 'again' });
  for (const client of [bob, here, there]) client.close();
});

async function send(
  client: TestClient,
  clientMessageId: string,
  conversationId = CONVERSATION,
): Promise<number> {
  const payload = { conversationId, clientMessageId, content: clientMessageId, respond: false };
  return (await client.ask('message:send', payload)).message.seq;
}
