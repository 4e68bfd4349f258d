import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SendPayload } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { expectWholeStream, type SeenStream } from '../support/streams.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { createTestDatabase } from '../support/database.js';

const STARTS = 100;

let llm: LlmServer;
let server: TestServer;

beforeAll(async () => {
  llm = await startLlmServer();
  server = await startServer({
    env: {
      ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:20', PROVIDER_FALLBACK: 'guide' },
      ...{ PROVIDER_BREAKER_FAILURES: '4', PROVIDER_BREAKER_OPEN_MS: '600000', PROVIDER_RETRIES: '1' },
      ...{ PROVIDER_MAX_CONCURRENT: '1', STREAM_MAX_PER_USER: '10' },
    },
  });
});
afterAll(async () => {
  await stopCleanly(server);
  await llm.close();
});

async function ask(
  client: TestClient,
  conversationId: string,
  fields: Partial<SendPayload> = {},
): Promise<SeenStream> {
  const payload = { conversationId, clientMessageId: crypto.randomUUID(), content: 'ollama', ...fields };
  const { streamId } = await client.ask('message:send', payload);
  await client.waitFor('message:new', (message) => message.streamId === streamId);
  return expectWholeStream(client, streamId as string);
}

describe('A provider in trouble', () => {
  test('is retried before its first word, after its Retry-After, without any visible effect', async () => {
    const ann = await TestClient.connect(server.url, 'ann');
    await ann.ask('conversation:join', { conversationId: 'again', access: 'link' });
    const asked = llm.requests.length;
    llm.script('status:503:2', 'words:3');
    const answer = ask(ann, 'again');
    await llm.waitForRequest(asked);
    const refusedAt = performance.now();
    await llm.waitForRequest(asked + 1);
    // Without its Retry-After it would be half a second at most.
    expect(performance.now() - refusedAt).toBeGreaterThan(1800);
    const { text, chunks } = await answer;
    expect(text).toBe(wordsText(3));
    expect(chunks[0]?.metadata).toMatchObject({ provider: 'openai-compatible' });
    expect(chunks[0]?.metadata).not.toHaveProperty('usedFallback');
  });

  test('takes one answer at a time where it may take no more; others wait, and beyond four of them the fallback answers (P7)', async () => {
    const dan = await TestClient.connect(server.url, 'dan');
    await dan.ask('conversation:join', { conversationId: 'places', access: 'link' });
    const asked = llm.requests.length;
    llm.script('stall:1');
    const payload = { conversationId: 'places', content: 'ollama' };
    const first = await dan.ask('message:send', { ...payload, clientMessageId: 'first' });
    await dan.waitFor('stream:chunk', ({ sequence }) => sequence === 1);
    const others = await Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map((clientMessageId) =>
        dan.ask('message:send', { ...payload, clientMessageId }),
      ),
    );
    const { streamId } = await dan.waitFor(
      'stream:chunk',
      ({ metadata }) => metadata?.['usedFallback'] === true,
    );
    await dan.waitFor('message:new', (message) => message.streamId === streamId);
    expect(llm.requests.length).toBe(asked + 1);
    await dan.ask('stream:cancel', { streamId: first.streamId as string });
    const texts: string[] = [];
    for (const other of others) {
      await dan.waitFor('message:new', (message) => message.streamId === other.streamId);
      texts.push(expectWholeStream(dan, other.streamId as string).text);
    }
    expect(texts.filter((text) => text === wordsText(20))).toHaveLength(4);
    expect(llm.requests.length).toBe(asked + 5);
    dan.close();
  });

  test('that fails for good is stood in for by the fallback, which says so; then it is left alone', async () => {
    const bob = await TestClient.connect(server.url, 'bob');
    await bob.ask('conversation:join', { conversationId: 'other', access: 'link' });
    llm.script('status:503', 'reset', 'status:503', 'reset');
    const asked = llm.requests.length;
    for (const _ of [1, 2]) await ask(bob, 'other');
    expect(llm.requests.length).toBe(asked + 4);
    // The breaker is open: nothing is asked of it any more.
    const { text, chunks } = await ask(bob, 'other');
    expect(llm.requests.length).toBe(asked + 4);
    expect(text).toContain('Source:');
    expect(chunks[0]?.metadata).toMatchObject({ provider: 'guide', model: 'guide', usedFallback: true });
    expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_, index) => index));
    const streamId = chunks[0]?.streamId as string;
    const { stream } = await bob.ask('stream:recover', { streamId, fromSequence: 0 });
    expect(stream).toMatchObject({ provider: 'guide', model: 'guide', status: 'completed' });
    // The operator sees it; the server stays ready.
    const health = await fetch(`${server.url}/api/ws/health`);
    const { details } = (await health.json()) as { details: Record<string, unknown> };
    expect(details['provider']).toEqual({
      ...{ status: 'up', name: 'openai-compatible', breaker: 'open', degraded: true },
    });
    expect([health.status, (await fetch(`${server.url}/api/ws/health/ready`)).status]).toEqual([200, 200]);
  });
});

test(`${STARTS} answers begun at once all come, through a small pool before a slow database (P5)`, async () => {
  const database = await createTestDatabase();
  const proxy = await startTcpProxy(database.url);
  const url = new URL(database.url);
  url.port = new URL(proxy.url).port;
  const many = await startServer({
    databaseUrl: url.href,
    env: { DATABASE_POOL_SIZE: '2', STREAM_MAX_PER_USER: '1000', RATE_LIMIT_ENABLED: 'false' },
  });
  const cat = await TestClient.connect(many.url, 'cat');
  await cat.ask('conversation:join', { conversationId: 'many', access: 'link' });
  proxy.slow(40);
  const sends = Array.from({ length: STARTS }, (_, n) =>
    cat.ask('message:send', {
      conversationId: 'many',
      clientMessageId: `m${n}`,
      content: 'hello',
      includeContext: false,
    }),
  );
  const ids = (await Promise.all(sends)).map(({ streamId }) => streamId);
  for (const id of ids) {
    const end = await cat.waitFor(
      'stream:status',
      (change) => change.streamId === id && change.status !== 'streaming',
    );
    expect(end.status).toBe('completed');
  }
  cat.close();
  expect(await many.terminate()).toBe(0);
  await proxy.close();
  await database.drop();
}, 120_000);
