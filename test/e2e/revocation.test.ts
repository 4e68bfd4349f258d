import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { RefusedError, TestClient } from '../support/client.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { token } from '../support/tokens.js';

let llm: LlmServer;
let database: TestDatabase;
/** Two nodes of one database, whose relays do not know each other. */
let here: TestServer;
let there: TestServer;
let admin: string;
const clients: TestClient[] = [];

beforeAll(async () => {
  llm = await startLlmServer();
  database = await createTestDatabase();
  const env = { LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'stall:2', STREAM_CHUNK_DELAY_MS: '0' };
  [here, there] = await Promise.all([
    startServer({ env, databaseUrl: database.url }),
    startServer({ env, databaseUrl: database.url }),
  ]);
  admin = await token('root', { roles: ['admin'] });
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});
afterAll(async () => {
  await stopCleanly(here);
  await stopCleanly(there);
  await database.drop();
  await llm.close();
});

const issued = (msAgo = 0): { iat: number } => ({ iat: (Date.now() - msAgo) / 1000 });

async function call(
  server: TestServer,
  route: string,
  bearer: string,
  body?: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const [method = '', path = ''] = route.split(' ');
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${bearer}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: (text ? JSON.parse(text) : {}) as Record<string, unknown> };
}

const revoke = (body: object, bearer = admin) => call(here, 'POST /api/auth/revocations', bearer, body);

const isGood = async (server: TestServer, bearer: string): Promise<boolean> =>
  (await call(server, 'GET /api/conversations', bearer)).status === 200;

async function connect(server: TestServer, bearer: string): Promise<TestClient> {
  const client = await TestClient.connect(server.url, 'revoked', { token: bearer });
  clients.push(client);
  return client;
}

/** An answer that goes on, read by its asker: resolves when it streams, and again when the response has ended. */
async function readAnswer(
  server: TestServer,
  url: string,
  headers: Record<string, string>,
): Promise<{ ended: Promise<void> }> {
  const response = await fetch(server.url + url, { headers });
  expect(response.status).toBe(200);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  const toTheEnd = async (): Promise<void> => {
    // A response that is cut ends with an error.
    while (!(await reader.read().catch(() => ({ done: true }))).done);
  };
  return { ended: toTheEnd() };
}

async function ask(bearer: string): Promise<string> {
  const conversationId = randomUUID();
  await call(here, 'POST /api/conversations', bearer, { id: conversationId });
  const sent = await call(here, `POST /api/conversations/${conversationId}/messages`, bearer, {
    ...{ clientMessageId: 'q1', content: 'Why?' },
  });
  return String(sent.body['streamId']);
}

describe('A revocation by jti', () => {
  test('is for that token alone, on both nodes', async () => {
    const [one, two] = [
      await token('alice', { jti: 'a1', ...issued() }),
      await token('alice', { jti: 'a2', ...issued() }),
    ];
    const { status, body } = await revoke({ jti: 'a1' });
    expect([status, body]).toMatchObject([200, { revoked: { jti: 'a1' } }]);
    expect(Math.abs(Date.parse(String(body['at'])) - Date.now())).toBeLessThan(60_000);
    const refused = await call(here, 'GET /api/conversations', one);
    expect([refused.status, refused.body['code']]).toEqual([401, 'unauthenticated']);
    expect(await isGood(here, two)).toBe(true);
    await eventually(async () => !(await isGood(there, one)), 'the other node refuses it');
    expect(await isGood(there, two)).toBe(true);
    const socket = await TestClient.connect(here.url, 'alice', { token: one }).catch((e: unknown) => e);
    expect((socket as RefusedError).error).toMatchObject({ code: 'unauthenticated' });
  });
});

describe('A revocation by sub', () => {
  test('is for all tokens issued until now or without iat; a later one is good again', async () => {
    const before = [
      await token('bob', issued(3000)),
      await token('bob', { jti: 'b2', ...issued(2000) }),
      await token('bob'),
    ];
    for (const bearer of before) expect(await isGood(here, bearer)).toBe(true);
    expect((await revoke({ sub: 'bob' })).body).toMatchObject({ revoked: { sub: 'bob' } });
    for (const bearer of before) expect(await isGood(here, bearer)).toBe(false);
    for (const bearer of before) {
      await eventually(async () => !(await isGood(there, bearer)), 'the other node refuses it');
    }
    const after = await token('bob', issued());
    expect([await isGood(here, after), await isGood(there, after)]).toEqual([true, true]);
    expect(await isGood(here, await token('bobby', issued(5000)))).toBe(true);
    // Again, for what was issued meanwhile.
    await revoke({ sub: 'bob' });
    expect(await isGood(here, after)).toBe(false);
  });

  test('lets a guest neither in nor renew', async () => {
    const taken = await call(here, 'POST /api/auth/guest', '');
    const first = (await fetch(`${here.url}/api/auth/guest`, { method: 'POST' }).then((r) => r.json())) as {
      token: string;
      userId: string;
    };
    expect(taken.status).toBe(401);
    expect(await isGood(here, first.token)).toBe(true);
    await revoke({ sub: first.userId });
    expect(await isGood(here, first.token)).toBe(false);
    expect((await call(here, 'POST /api/auth/guest', first.token)).status).toBe(401);
  });
});

describe('What goes on with a revoked token ends', () => {
  test.each([
    ['by sub', {}],
    ['by jti', { jti: 'live-1' }],
  ])('sockets of both nodes, %s', async (_, claims: { jti?: string }) => {
    const userId = `carol-${claims.jti ?? 'all'}`;
    const bearer = await token(userId, { ...claims, ...issued(1000) });
    const sockets = [await connect(here, bearer), await connect(there, bearer)];
    const peer = await connect(here, await token('peer', issued(1000)));
    const ends = sockets.map(
      ({ socket }) => new Promise((resolve) => socket.once('disconnect', (reason) => resolve(reason))),
    );
    const renewed = await connect(here, bearer);
    await renewed.ask('auth:refresh', {
      token: await token(userId, { jti: randomUUID(), iat: Date.now() / 1000 + 4 }),
    });
    expect((await revoke(claims.jti === undefined ? { sub: userId } : { jti: claims.jti })).status).toBe(200);
    expect(await Promise.all(ends)).toEqual(['io server disconnect', 'io server disconnect']);
    for (const client of sockets) {
      expect(client.all('connection:closing')).toMatchObject([{ code: 'unauthenticated', retryable: false }]);
    }
    expect(await peer.ask('ping', 1)).toMatchObject({ echo: 1 });
    // A connection is held to the token that it has now.
    expect(await renewed.ask('ping', 1)).toMatchObject({ echo: 1 });
  });

  test.each([{ jti: 'dave-1' }, { sub: 'dave' }])(
    'responses that read a stream, by token and by ticket, on both nodes, %j; the answer goes on',
    async (what: { jti?: string; sub?: string }) => {
      const bearer = await token('dave', { jti: what.jti ?? 'dave-2', ...issued(1000) });
      const streamId = await ask(bearer);
      const { body } = await call(here, 'POST /api/auth/ticket', bearer, { streamId });
      const path = `/api/ws/stream/${streamId}`;
      const byTicket = `?ticket=${String(body['ticket'])}`;
      const authorization = `Bearer ${bearer}`;
      const readers = await Promise.all([
        readAnswer(here, `${path}/sse`, { authorization }),
        readAnswer(here, `${path}/http`, { authorization }),
        readAnswer(here, `${path}/sse${byTicket}`, {}),
        readAnswer(there, `${path}/sse${byTicket}`, {}),
        readAnswer(there, `${path}/http`, { authorization }),
      ]);
      await revoke(what);
      await Promise.all(readers.map(({ ended }) => ended));
      expect((await fetch(`${here.url}${path}/sse${byTicket}`)).status).toBe(401);
      expect((await fetch(`${there.url}${path}/sse${byTicket}`)).status).toBe(401);
      const status = await call(here, `GET ${path}/status`, admin);
      expect(status.body).toMatchObject({ status: 'streaming' });
      const another = await token('dave', issued());
      expect((await call(here, `POST ${path}/cancel`, another)).status).toBe(200);
    },
  );
});

describe('POST /api/auth/revocations', () => {
  test('is for admins', async () => {
    const refused = await revoke({ sub: 'alice' }, await token('eve', issued()));
    expect([refused.status, refused.body['code']]).toEqual([403, 'forbidden']);
  });

  test.each([{}, { jti: 'a', sub: 'b' }, { jti: '' }, { sub: 'a\nb' }, { jti: 7 }, { user: 'a' }])(
    'refuses %j',
    async (body) => {
      const { status, body: problem } = await revoke(body);
      expect([status, problem['code']]).toEqual([400, 'invalid_payload']);
    },
  );

  test('holds after a restart, from the first request on', async () => {
    const bearer = await token('frank', { jti: 'f1', ...issued() });
    await revoke({ jti: 'f1' });
    await here.kill();
    here = await here.restart();
    expect(await isGood(here, bearer)).toBe(false);
  });
});
