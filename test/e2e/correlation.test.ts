import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TerminalMetadata, WireError } from '../../src/protocol/index.js';
import { RefusedError, TestClient, tokenFor } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { StreamResponse } from '../support/stream-readers.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`;

let llm: LlmServer;
let server: TestServer;
let token: string;

beforeAll(async () => {
  llm = await startLlmServer();
  server = await startServer({
    env: {
      ...{ NODE_ENV: 'production', LOG_LEVEL: 'debug', STREAM_LEASE_MS: '500' },
      ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:3' },
    },
  });
  token = await tokenFor('alice');
});

afterAll(async () => {
  await stopCleanly(server);
  await llm.close();
});

/** Waits for a line of the log about `id` that has `fields`. */
function logged(id: string, fields: Record<string, unknown>): Promise<void> {
  const wanted = Object.entries({ correlationId: id, ...fields });
  return eventually(
    () => {
      const lines = server.output().split('\n').slice(0, -1);
      const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      return parsed.some((line) => wanted.every(([field, value]) => line[field] === value));
    },
    `a line of the log with ${JSON.stringify(wanted)}`,
  );
}

function get(path: string, headers: Record<string, string>): Promise<Response> {
  return fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${token}`, ...headers } });
}

async function ask(conversationId: string, clientMessageId: string): Promise<TestClient> {
  const alice = await TestClient.connect(server.url, 'alice');
  await alice.ask('conversation:join', { conversationId });
  await alice.ask('message:send', { conversationId, clientMessageId, content: 'Hello?' });
  return alice;
}

test.each([
  ['traceparent', PARENT, TRACE],
  ['x-request-id', 'from-the-proxy_1', 'from-the-proxy_1'],
])(
  'A request is known by its %s: in its answer, its error and its line of the log',
  async (name, value, id) => {
    const answer = await get('/api/conversations/nowhere', { [name]: value });
    expect(answer.headers.get('x-request-id')).toBe(id);
    expect(await answer.json()).toMatchObject({ code: 'not_found', correlationId: id });
    await logged(id, { context: 'Http', path: '/api/conversations/nowhere', status: 404 });
  },
);

test('What is no safe id is not taken over, and the request gets one (P11)', async () => {
  const answer = await get('/nowhere', { 'x-request-id': 'a"b{}', traceparent: 'nonsense' });
  const id = answer.headers.get('x-request-id');
  expect(id).toMatch(/^[\da-f]{32}$/);
  expect(await answer.json()).toMatchObject({ correlationId: id });
});

test('A refused handshake answers with the id that it came with, and each event has one of its own', async () => {
  const extraHeaders = { traceparent: PARENT };
  const refused = await TestClient.connect(server.url, 'x', { token: 'nonsense', extraHeaders }).catch(
    (error: unknown) => (error as RefusedError).error,
  );
  expect(refused).toMatchObject({ code: 'unauthenticated', correlationId: TRACE });
  const alice = await TestClient.connect(server.url, 'alice', { extraHeaders });
  await logged(TRACE, { msg: 'connected', userId: 'alice' });
  const errors = [await alice.raw('nonsense'), await alice.raw('nonsense')] as { error: WireError }[];
  const ids = new Set([TRACE, ...errors.map(({ error }) => error.correlationId)]);
  expect(ids.size).toBe(3);
  alice.close();
});

test('A question asked over HTTP has one id from its request to the provider, the failed answer and the log', async () => {
  const index = llm.requests.length;
  // Once more without `stream_options`, which the server may have refused.
  llm.script('status:400', 'status:400');
  const conversationId = 'asked-over-http';
  const alice = await TestClient.connect(server.url, 'alice');
  await alice.ask('conversation:join', { conversationId });
  const response = await StreamResponse.open(`${server.url}/api/ws/stream/http`, {
    ...{ method: 'POST', token, body: { conversationId, message: 'Hello?' } },
    headers: { 'x-request-id': 'question-7' },
  });
  const { metadata } = await alice.waitFor('stream:chunk', ({ type }) => type === 'error');
  expect((metadata as unknown as TerminalMetadata).error).toMatchObject({ correlationId: 'question-7' });
  const { headers } = await llm.waitForRequest(index);
  expect(headers['x-request-id']).toBe('question-7');
  expect(headers['traceparent']).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-01$/);
  await logged('question-7', { level: 'warn', msg: 'answer failed', code: 'provider_error' });
  expect(response.incoming.headers['x-request-id']).toBe('question-7');
  alice.close();
});

test('The process that continues an answer after a kill uses the same correlation id (P5)', async () => {
  const index = llm.requests.length;
  llm.script('stall:none', 'words:3');
  const alice = await ask('killed', 'q1');
  const before = await llm.waitForRequest(index);
  alice.close();
  await server.kill();
  server = await server.restart();
  const after = await llm.waitForRequest(index + 1);
  expect(before.headers['x-request-id']).toMatch(/^[\da-f]{32}$/);
  expect(after.headers['x-request-id']).toBe(before.headers['x-request-id']);
  expect(after.headers['traceparent']).toContain(before.headers['x-request-id']);
  await llm.waitForClose(index + 1);
});
