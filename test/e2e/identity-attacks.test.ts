import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appToken, rawToken } from '../support/auth.js';
import { RefusedError, TestClient } from '../support/client.js';
import { http } from '../support/http.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { HttpUser } from '../support/stream-readers.js';
import { TEST_KEY } from '../support/tokens.js';

let server: TestServer;
let victim: TestClient;
let streamId: string;
let mallory: TestClient;

beforeAll(async () => {
  server = await startServer({ env: { QUEUE_TTL_MS: '600000' } });
  victim = await TestClient.connect(server.url, 'victim');
  await victim.ask('conversation:join', { conversationId: 'private' });
  const sent = await victim.ask('message:send', {
    ...{ conversationId: 'private', clientMessageId: 'q1', content: 'The treasure is under the oak.' },
  });
  streamId = sent.streamId as string;
  await victim.waitFor('message:new');
  mallory = await TestClient.connect(server.url, 'mallory');
});

afterAll(async () => {
  victim.close();
  mallory.close();
  await stopCleanly(server);
});

const hour = (): number => Math.floor(Date.now() / 1000) + 3600;

describe('A forged token does not sign in, by socket or HTTP', () => {
  const other = new TextEncoder().encode('another secret of thirty-two characters or more');
  test.each<[string, () => string | Promise<string>]>([
    ['another key', () => appToken({ sub: 'victim' }, { key: other })],
    ['alg none', () => rawToken({ alg: 'none' }, { sub: 'victim', exp: hour() })],
    ['alg nOnE with a signature', () => rawToken({ alg: 'nOnE' }, { sub: 'victim', exp: hour() }, 'AAAA')],
    ['another alg', () => appToken({ sub: 'victim' }, { key: TEST_KEY, header: { alg: 'HS384' } })],
    ['a guest that is none', () => appToken({ sub: 'guest:victim' }, { key: TEST_KEY })],
    ['the assistant', () => appToken({ sub: 'assistant' }, { key: TEST_KEY })],
    ['from the future', () => appToken({ sub: 'victim', iat: hour() }, { key: TEST_KEY })],
    [
      'roles put into a good one',
      async () => {
        const [head, , signature] = (await appToken({ sub: 'mallory' }, { key: TEST_KEY })).split('.');
        const claims = { sub: 'mallory', roles: ['admin'], exp: hour() };
        return `${head}.${rawToken({}, claims).split('.')[1]}.${signature}`;
      },
    ],
  ])('%s', async (_, forge) => {
    const token = await forge();
    const refused = await TestClient.connect(server.url, 'victim', { token }).catch((e: unknown) => e);
    expect((refused as RefusedError).error).toMatchObject({ code: 'unauthenticated' });
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${server.url}/api/conversations`, { headers })).status).toBe(401);
  });

  test('a guest who asks for roles has none', async () => {
    const sent = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const body = JSON.stringify({ name: 'Bo', roles: ['admin'] });
    expect((await fetch(`${server.url}/api/auth/guest`, { ...sent, body })).status).toBe(400);
  });
});

describe('A conversation that is not yours looks like one that does not exist (P10)', () => {
  /** Both answers, without what differs each time. */
  async function both(ask: (conversationId: string) => Promise<unknown>): Promise<string[]> {
    const told = await Promise.all(['private', 'nowhere'].map(ask));
    return told.map((one) => JSON.stringify(one).replaceAll(/(correlationId\W+)[\w-]{32}/g, '$1'));
  }

  test.each([
    ['conversation:leave', {}],
    ['message:send', { clientMessageId: 'm1', content: 'Hello?', respond: false }],
    ['message:ack', { seq: 1 }],
    ['message:history', {}],
    ['message:history', { afterSeq: 0 }],
  ])('%s %j', async (event, payload) => {
    const [foreign, missing] = await both((conversationId) =>
      mallory.raw(event, { conversationId, ...payload }),
    );
    expect(foreign).toContain('"ok":false,"error":{"code":"not_found"');
    expect(foreign).toBe(missing);
  });

  test.each([
    ['GET', '', undefined],
    ['PATCH', '', { title: 'Mine' }],
    ['DELETE', '', undefined],
    ['PUT', '/members/mallory', undefined],
    ['DELETE', '/members/victim', undefined],
    ['GET', '/messages', undefined],
    ['GET', '/messages?afterSeq=0&limit=200', undefined],
    ['POST', '/messages', { clientMessageId: 'm1', content: 'Hello?', respond: false }],
    ['POST', '/ack', { seq: 1 }],
  ] as const)('%s %s', async (method, path, body) => {
    const [foreign, missing] = await both(async (id) => {
      const route = `${method} /api/conversations/${id}${path}` as const;
      const response = await http(server.url, route, { userId: 'mallory', ...(body && { body }) });
      return [response.status, await response.text()];
    });
    expect(foreign).toMatch(/^\[404,/);
    expect(foreign).toBe(missing);
  });

  test('Joining by a guessed id reveals only that the id is taken, and adds no member', async () => {
    const answer = await mallory.raw('conversation:join', { conversationId: 'private', access: 'link' });
    expect(answer).toMatchObject({ ok: false, error: { code: 'not_found' } });
    expect(JSON.stringify(answer)).not.toContain('treasure');
    const created = await http(server.url, 'POST /api/conversations', {
      ...{ userId: 'mallory', body: { id: 'private' } },
    });
    expect(created.status).toBe(409);
    const { members } = await victim.ask('conversation:join', { conversationId: 'private' });
    expect(members.map(({ userId }) => userId)).toEqual(['victim']);
  });
});

describe('An id of another user gives no access', () => {
  test('stream: neither read, nor recovered, nor controlled, nor ticketed', async () => {
    const thief = await HttpUser.of(server.url, 'mallory');
    const path = `/api/ws/stream/${streamId}`;
    const tries: [string, string, object?][] = [
      ...['sse', 'http', 'status'].map((what): [string, string] => ['GET', `${path}/${what}`]),
      ...['pause', 'resume', 'cancel', 'recover'].map((what): [string, string] => [
        'POST',
        `${path}/${what}`,
      ]),
      ['POST', '/api/auth/ticket', { streamId }],
    ];
    for (const [method, route, body] of tries) {
      const told = await thief.json(method, route, body);
      expect([route, told.status, told.body['code']]).toEqual([route, 404, 'not_found']);
    }
    for (const event of ['stream:pause', 'stream:resume', 'stream:cancel']) {
      expect(await mallory.raw(event, { streamId })).toMatchObject({ error: { code: 'not_found' } });
    }
    const recovered = await mallory.raw('stream:recover', { streamId, fromSequence: 0 });
    expect(recovered).toMatchObject({ error: { code: 'not_found' } });
  });

  test('queue: neither seen nor cleared', async () => {
    await http(server.url, 'PUT /api/conversations/private/members/absent', { userId: 'victim' });
    await victim.ask('message:send', {
      ...{ conversationId: 'private', clientMessageId: 'm2', content: 'For the absent.', respond: false },
    });
    for (const route of ['GET /api/ws/queue/absent', 'DELETE /api/ws/queue/absent'] as const) {
      expect((await http(server.url, route, { userId: 'mallory' })).status).toBe(404);
    }
    const mine = await http(server.url, 'GET /api/ws/queue/absent', { userId: 'absent' });
    expect(((await mine.json()) as { items: unknown[] }).items).toHaveLength(1);
  });

  test('The attackers received no event', () => {
    expect(JSON.stringify(mallory.heard)).not.toMatch(/treasure|private|victim|absent/);
  });
});
