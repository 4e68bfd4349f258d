import { Validator } from '@seriousme/openapi-schema-validator';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestClient, tokenFor } from '../support/client.js';
import { lostReferences } from '../support/event-schemas.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import {
  placeOf,
  RouteChecker,
  routeIn,
  type Answered,
  type RoutesDocument,
} from '../support/route-schemas.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { surface } from '../support/surface.js';

/** For these no token is needed, and the document has to say so. */
const PUBLIC = /\/(guest|asyncapi-json|health.*)$/;
/** What the server answers only while it is leaving. */
const UNSEEN = ['GET /api/ws/health/live 503'];
const ROOM = randomUUID();

const { routes } = surface();
let llm: LlmServer;
let server: TestServer;
let document: RoutesDocument;
let checker: RouteChecker;

beforeAll(async () => {
  llm = await startLlmServer();
  server = await startServer({
    // As many as the story below connects, so that at last there is no room, and health says so.
    env: { LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:200:20', MAX_CONNECTIONS: '2' },
  });
  document = (await (await fetch(`${server.url}/api/docs-json`)).json()) as RoutesDocument;
  checker = new RouteChecker(document);
});

afterAll(async () => {
  await stopCleanly(server);
  await llm.close();
});

describe('the OpenAPI document', () => {
  test('keeps the rules of OpenAPI 3.1, and has no reference that leads nowhere', async () => {
    const { valid, errors } = await new Validator().validate({ ...document });
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
    expect(document.openapi).toBe('3.1.0');
    expect(lostReferences(document)).toEqual([]);
  });

  test('has every route of the application, and no other', () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    const known = routes.map((route) => Object.values(placeOf(route)).join(' '));
    expect(described.toSorted()).toEqual(known.toSorted());
  });

  test.each(routes)('says what %s answers: its body where it has one, and how it refuses', (route) => {
    const { default: refusal, ...answers } = routeIn(document, route)?.responses ?? {};
    expect(refusal?.content).toHaveProperty(['application/problem+json', 'schema']);
    expect(Object.keys(answers).some((status) => status.startsWith('2'))).toBe(true);
    for (const [status, { content }] of Object.entries(answers)) {
      const bodies = Object.values(content ?? {});
      expect(bodies, status).toHaveLength(status === '204' ? 0 : 1);
      for (const { schema } of bodies) expect(Object.keys(schema ?? {}), status).not.toEqual([]);
    }
  });
});

interface Call {
  as?: string;
  roles?: string[];
  /** Of the path, by name. */
  at?: Record<string, string>;
  query?: string;
  body?: object;
  headers?: Record<string, string>;
}

async function open(route: string, { as, roles, at = {}, query = '', body, headers }: Call) {
  const [method = '', path = ''] = route.split(' ');
  const filled = path.replaceAll(/:(\w+)/g, (_whole, name: string) => encodeURIComponent(at[name] ?? 'x'));
  const token = as && (await tokenFor(as, roles ? { roles } : {}));
  return fetch(server.url + filled + query, {
    method,
    headers: {
      ...headers,
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
}

async function read(response: Response): Promise<Answered> {
  return { status: response.status, headers: response.headers, body: await response.text() };
}

describe('refusals', () => {
  test.each(routes)('%s refuses a request without a token as documented', async (route) => {
    const answer = await read(await open(route, {}));
    expect(checker.answered(route, answer)).toEqual([]);
    expect(answer.status).toBe(PUBLIC.test(route) ? 200 : 401);
    // An empty one among them: it goes without.
    const needed = routeIn(document, route)?.security ?? [{}];
    expect(needed.some((one) => Object.keys(one).length === 0)).toBe(PUBLIC.test(route));
  });

  test('a key that the document does not list is refused, and so it is by the document', async () => {
    const taking = routes.filter((route) => routeIn(document, route)?.requestBody);
    expect(taking.length).toBeGreaterThan(8);
    const at = { streamId: randomUUID() };
    for (const route of taking) {
      const body = { nobody: 'knows this' };
      const answer = await read(await open(route, { as: 'dora', roles: ['admin'], at, body }));
      expect(answer.status, route).toBe(400);
      expect(checker.answered(route, answer)).toEqual([]);
      expect(checker.sent(route, body), route).not.toEqual([]);
    }
  });
});

/** Calls routes, and holds every body and every answer to the document. */
class Recorder {
  readonly faults: string[] = [];
  readonly seen = new Set<string>();

  /** Opens a response that goes on; {@link end} it. */
  async open(route: string, call: Call): Promise<Response> {
    if (call.body) this.faults.push(...checker.sent(route, call.body));
    return open(route, call);
  }

  async end(route: string, response: Response): Promise<Answered> {
    const answer = await read(response);
    this.faults.push(...checker.answered(route, answer));
    this.seen.add(`${route} ${answer.status}`);
    return answer;
  }

  async call<T = Record<string, never>>(route: string, call: Call = {}): Promise<T> {
    const { status, headers, body } = await this.end(route, await this.open(route, call));
    if (status >= 400 && status !== 503) throw new Error(`${route}: ${status} ${body}`);
    const isJson = headers.get('content-type')?.startsWith('application/json');
    return (isJson ? JSON.parse(body) : {}) as T;
  }
}

const ANN = { as: 'ann', at: { id: ROOM, conversationId: ROOM, userId: 'bob' } };
const BOB = { ...ANN, as: 'bob' };
const ROOT = { ...ANN, as: 'root', roles: ['admin'] };
const STREAM = '/api/ws/stream/:streamId';

test('What a running service answers is what the document says, route by route and key by key', async () => {
  const recorder = new Recorder();
  await administer(recorder);
  await talk(recorder);
  await wait(recorder);
  await beThere(recorder);
  await ask(recorder);
  await recorder.call('DELETE /api/conversations/:id/members/:userId', ANN);
  await recorder.call('DELETE /api/conversations/:id', ANN);
  expect(recorder.faults).toEqual([]);
  const declared = routes.flatMap((route) => {
    const statuses = Object.keys(routeIn(document, route)?.responses ?? {});
    return statuses.filter((status) => status !== 'default').map((status) => `${route} ${status}`);
  });
  expect([...recorder.seen, ...UNSEEN].toSorted()).toEqual(declared.toSorted());
});

async function administer(recorder: Recorder): Promise<void> {
  await recorder.call('POST /api/auth/guest', { body: { name: 'Gus' } });
  await recorder.call('POST /api/auth/revocations', { ...ROOT, body: { jti: 'old' } });
  await recorder.call('POST /api/auth/revocations', { ...ROOT, body: { sub: 'mallory' } });
  await recorder.call('GET /api/asyncapi-json');
  await recorder.call('POST /api/ws/topics/:topic/messages', { ...ROOT, body: { content: 'N' } });
}

/** A conversation, its members and messages. */
async function talk(recorder: Recorder): Promise<void> {
  await recorder.call('POST /api/conversations', { as: 'ann', body: { id: ROOM, access: 'link' } });
  await recorder.call('PATCH /api/conversations/:id', { ...ANN, body: { title: 'T' } });
  await recorder.call('PUT /api/conversations/:id/members/:userId', ANN);
  const messages = '/api/conversations/:id/messages';
  const plain = { clientMessageId: 'm1', content: 'Hello.', metadata: { a: 1 }, respond: false };
  await recorder.call(`POST ${messages}`, { ...ANN, body: plain });
  await recorder.call(`POST ${messages}`, { ...ANN, body: plain });
  await recorder.call(`GET ${messages}`, { ...BOB, query: '?afterSeq=0&limit=1' });
  await recorder.call('GET /api/conversations/:id', BOB);
  for (let made = 0; made < 2; made += 1) await recorder.call('POST /api/conversations', { as: 'ann' });
  const { nextCursor } = await recorder.call<{ nextCursor: string }>('GET /api/conversations', {
    as: 'ann',
    query: '?limit=1',
  });
  const query = `?cursor=${encodeURIComponent(nextCursor)}`;
  const { items } = await recorder.call<{ items: object[] }>('GET /api/conversations', { as: 'ann', query });
  expect(items.some((item) => 'lastMessage' in item)).toBe(true);
}

/** What waits for who is away. */
async function wait(recorder: Recorder): Promise<void> {
  const queue = '/api/ws/queue/:userId';
  await recorder.call('POST /api/ws/users/:userId/messages', { ...ROOT, body: { content: 'U' } });
  const { items } = await recorder.call<{ items: { kind: string }[] }>(`GET ${queue}`, BOB);
  expect(items.map(({ kind }) => kind).toSorted()).toEqual(['message', 'system']);
  await recorder.call(`DELETE ${queue}`, BOB);
  const ended = await recorder.call<{ items: object[] }>(`GET ${queue}`, BOB);
  expect(ended.items).toMatchObject([{ state: 'dropped' }, { state: 'dropped' }]);
  await recorder.call('POST /api/conversations/:id/ack', { ...BOB, body: { seq: 1, read: true } });
}

/** Connections, presence and typing; health with room, and without. */
async function beThere(recorder: Recorder): Promise<void> {
  const probes = ['', '/live', '/ready'].map((probe) => `GET /api/ws/health${probe}`);
  for (const probe of probes) await recorder.call(probe);
  const ann = await TestClient.connect(server.url, 'ann');
  const bob = await TestClient.connect(server.url, 'bob', { extraHeaders: { 'user-agent': 'a test' } });
  for (const client of [ann, bob]) await client.ask('conversation:join', { conversationId: ROOM });
  await bob.ask('presence:update', { status: 'busy', metadata: { mood: 'calm' } });
  await ann.ask('typing:start', { conversationId: ROOM });
  await recorder.call('GET /api/ws/typing/:conversationId', BOB);
  await recorder.call('GET /api/ws/presence/:userId', ANN);
  await recorder.call('GET /api/ws/presence/online', ROOT);
  await recorder.call('GET /api/ws/presence/online', { ...ROOT, query: '?limit=1' });
  await recorder.call('GET /api/ws/connections/conversation/:conversationId', ANN);
  for (const probe of probes) await recorder.call(probe);
  for (const figures of ['stats', 'dashboard']) await recorder.call(`GET /api/ws/${figures}`, ROOT);
  await recorder.call('GET /metrics', ROOT);
  const { items } = await recorder.call<{ items: { connectionId: string }[] }>(
    'GET /api/ws/connections/:userId',
    BOB,
  );
  const { connectionId = '' } = items[0] ?? {};
  await recorder.call('DELETE /api/ws/connections/:connectionId', { ...BOB, at: { connectionId } });
  await bob.waitFor('connection:closing');
  for (const client of [ann, bob]) client.close();
}

/** An answer that is paused, resumed, read in every way and cancelled; one that fails, and one of NDJSON. */
async function ask(recorder: Recorder): Promise<void> {
  const body = { conversationId: ROOM, message: 'Why?', chunkDelayMs: 0 };
  const asked = await recorder.open('POST /api/ws/stream/sse', { ...ANN, body });
  const streamId = asked.headers.get('x-stream-id') ?? '';
  const own = { ...ANN, at: { streamId } };
  await recorder.call(`POST ${STREAM}/pause`, own);
  await recorder.call(`GET ${STREAM}/status`, own);
  await recorder.call('GET /api/ws/stream/active', ROOT);
  await recorder.call(`POST ${STREAM}/resume`, own);
  const { ticket } = await recorder.call<{ ticket: string }>('POST /api/auth/ticket', {
    ...ANN,
    body: { streamId },
  });
  const attached = await recorder.open(`GET ${STREAM}/sse`, { at: { streamId }, query: `?ticket=${ticket}` });
  await recorder.call(`POST ${STREAM}/cancel`, own);
  await recorder.end('POST /api/ws/stream/sse', asked);
  await recorder.end(`GET ${STREAM}/sse`, attached);
  await recorder.call(`GET ${STREAM}/http`, own);
  await recorder.call(`POST ${STREAM}/recover`, { ...own, query: '?fromSequence=0' });
  const { lastSequence } = await recorder.call<{ lastSequence: number }>(`GET ${STREAM}/status`, own);
  const headers = { 'last-event-id': String(lastSequence) };
  const nothing = await recorder.open(`GET ${STREAM}/sse`, { ...own, headers });
  await recorder.end(`GET ${STREAM}/sse`, nothing);
  llm.script('cut:3');
  const failed = await recorder.open('POST /api/ws/stream/http', { ...ANN, body });
  expect((await recorder.end('POST /api/ws/stream/http', failed)).body).toContain('"type":"error"');
  await recorder.call('GET /api/ws/stream/metrics', ROOT);
}
