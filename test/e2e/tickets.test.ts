import { randomUUID } from 'node:crypto';
import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RefusedError, TestClient } from '../support/client.js';
import { rawToken, appToken } from '../support/auth.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { HttpUser } from '../support/stream-readers.js';
import { TEST_KEY, token } from '../support/tokens.js';

const MODEL = 'words:3';
const TTL_MS = 2000;

interface Ticket {
  ticket: string;
  expiresAt: string;
}

let llm: LlmServer;
let server: TestServer;
let owner: HttpUser;

beforeAll(async () => {
  llm = await startLlmServer();
  server = await startServer({
    env: { LLM_BASE_URL: llm.baseUrl, LLM_MODEL: MODEL, LLM_MODELS: 'stall:2' },
  });
  owner = await HttpUser.of(server.url, 'owner');
});

afterAll(async () => {
  await stopCleanly(server);
  await llm.close();
});

/** A new conversation of the owner's with a member, and an answer in it that has ended. */
async function answered(model = MODEL): Promise<{ conversationId: string; streamId: string }> {
  const conversationId = await owner.conversation(randomUUID());
  await owner.json('PUT', `/api/conversations/${conversationId}/members/member`);
  const answer = await owner.ask('http', { conversationId, message: 'Why?', model });
  const { streamId } = answer;
  if (model === MODEL) await answer.closed();
  else answer.cut();
  return { conversationId, streamId };
}

async function ticketOf(user: HttpUser, streamId: string): Promise<Ticket> {
  const { status, body, headers } = await user.json<Ticket & object>('POST', '/api/auth/ticket', {
    streamId,
  });
  expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
  return body;
}

function attachUrl(streamId: string, ticket: string, format = 'sse'): string {
  return `${server.url}/api/ws/stream/${streamId}/${format}?ticket=${encodeURIComponent(ticket)}`;
}

/** Status and code of what a URL answers without any header; the text is read to its end. */
async function read(url: string, init: RequestInit = {}): Promise<{ status: number; text: string }> {
  const response = await fetch(url, init);
  return { status: response.status, text: await response.text() };
}

describe('A stream ticket', () => {
  test('lets an EventSource read its stream to the end, without any header', async () => {
    const { streamId } = await answered();
    const member = await HttpUser.of(server.url, 'member');
    const { ticket, expiresAt } = await ticketOf(member, streamId);
    expect(Date.parse(expiresAt) - Date.now()).toBeGreaterThan(590_000);
    const source = new EventSource(attachUrl(streamId, ticket));
    const types: string[] = [];
    for (const type of ['metadata', 'content', 'complete']) {
      source.addEventListener(type, () => types.push(type));
    }
    await new Promise((resolve) => source.addEventListener('complete', resolve));
    source.close();
    expect(types.at(0)).toBe('metadata');
    expect(types).toContain('content');
  });

  test('is good any number of times, for both formats and from any position, also after a restart', async () => {
    const { streamId } = await answered();
    const { ticket } = await ticketOf(owner, streamId);
    for (let time = 0; time < 3; time += 1) {
      expect((await read(attachUrl(streamId, ticket))).status).toBe(200);
      expect((await read(`${attachUrl(streamId, ticket, 'http')}&fromSequence=1`)).status).toBe(200);
    }
    await server.kill();
    server = await server.restart();
    expect((await read(attachUrl(streamId, ticket))).text).toContain('event: complete');
  });

  test('is valid for one stream', async () => {
    const [mine, another] = [await answered(), await answered()];
    const { ticket } = await ticketOf(owner, mine.streamId);
    for (const format of ['sse', 'http']) {
      const { status, text } = await read(attachUrl(another.streamId, ticket, format));
      expect([status, JSON.parse(text)]).toMatchObject([401, { code: 'unauthenticated' }]);
    }
  });

  test('is not a token: not as Bearer, not in a handshake, not for anything but reading', async () => {
    const { streamId, conversationId } = await answered('stall:2');
    const { ticket } = await ticketOf(owner, streamId);
    const headers = { authorization: `Bearer ${ticket}` };
    for (const path of [`/api/ws/stream/${streamId}/sse`, '/api/conversations', '/api/auth/ticket']) {
      const method = path.endsWith('ticket') ? 'POST' : 'GET';
      expect((await read(server.url + path, { method, headers })).status).toBe(401);
    }
    const refused = await TestClient.connect(server.url, 'owner', { token: ticket }).catch((e: unknown) => e);
    expect((refused as RefusedError).error).toMatchObject({ code: 'unauthenticated' });
    const others = [
      ...['pause', 'resume', 'cancel', 'recover'].map((act) => ['POST', `/api/ws/stream/${streamId}/${act}`]),
      ['GET', `/api/ws/stream/${streamId}/status`],
      ['GET', `/api/conversations/${conversationId}/messages`],
      ['GET', '/api/conversations'],
      ['POST', '/api/auth/ticket'],
    ];
    for (const [method = '', path = ''] of others) {
      const { status } = await read(`${server.url}${path}?ticket=${ticket}`, { method });
      expect([path, status]).toEqual([path, 401]);
    }
    expect((await owner.json('POST', `/api/ws/stream/${streamId}/cancel`)).status).toBe(200);
  });

  test('has nothing in its place: not a token, not under another name, not twice', async () => {
    const { streamId } = await answered();
    const bearer = await token('owner');
    const { ticket } = await ticketOf(owner, streamId);
    const base = `${server.url}/api/ws/stream/${streamId}/sse`;
    for (const query of [
      `ticket=${bearer}`,
      `token=${bearer}`,
      `access_token=${bearer}`,
      `token=${ticket}`,
      `ticket=${ticket}&ticket=${ticket}`,
      'ticket=',
    ]) {
      expect([query, (await read(`${base}?${query}`)).status]).toEqual([query, 401]);
    }
    // A good Bearer is not made better or worse by it, and a bad one not mended.
    expect((await read(`${base}?ticket=${ticket}`, { headers: { authorization: 'Bearer x' } })).status).toBe(
      401,
    );
  });

  test('cannot be forged', async () => {
    const { streamId } = await answered();
    const { ticket } = await ticketOf(owner, streamId);
    const [header = '', body = '', signature = ''] = ticket.split('.');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
    const head = { alg: 'HS256', typ: 'ticket+jwt' };
    const key = new TextEncoder().encode('another secret of thirty-two characters or more');
    const forged = [
      rawToken({ ...head, alg: 'none' }, claims),
      rawToken(head, claims, signature).replace(
        /^[^.]*/,
        Buffer.from('{"alg":"none"}').toString('base64url'),
      ),
      `${header}.${rawToken({}, { ...claims, sub: 'admin', roles: ['admin'] }).split('.')[1]}.${signature}`,
      await appToken({ ...claims }, { key, header: { typ: 'ticket+jwt' } }),
      await appToken({ ...claims }, { key: TEST_KEY, header: { typ: 'guest+jwt' } }),
      await appToken({ ...claims, stream: undefined }, { key: TEST_KEY, header: { typ: 'ticket+jwt' } }),
    ];
    for (const one of forged)
      expect([one, (await read(attachUrl(streamId, one))).status]).toEqual([one, 401]);
  });

  test('is issued only to users who may read the stream', async () => {
    const { streamId } = await answered();
    const stranger = await HttpUser.of(server.url, 'stranger');
    for (const id of [streamId, randomUUID()]) {
      const { status, body } = await stranger.json('POST', '/api/auth/ticket', { streamId: id });
      expect([status, body['code']]).toEqual([404, 'not_found']);
    }
    for (const body of [{}, { streamId: 'x' }, { streamId, userId: 'owner' }]) {
      expect((await owner.json('POST', '/api/auth/ticket', body)).status).toBe(400);
    }
  });

  test('does not work for former members', async () => {
    const { streamId, conversationId } = await answered();
    const { ticket } = await ticketOf(await HttpUser.of(server.url, 'member'), streamId);
    expect((await read(attachUrl(streamId, ticket))).status).toBe(200);
    await owner.json('DELETE', `/api/conversations/${conversationId}/members/member`);
    const { status, text } = await read(attachUrl(streamId, ticket));
    expect([status, JSON.parse(text)]).toMatchObject([404, { code: 'not_found' }]);
  });
});

test('An old ticket is token_expired.', async () => {
  const brief = await startServer({
    env: {
      ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: MODEL, TICKET_TTL_MS: String(TTL_MS) },
      RATE_LIMIT_ENABLED: 'false',
    },
  });
  const user = await HttpUser.of(brief.url, 'owner');
  const conversationId = await user.conversation('brief');
  const answer = await user.ask('http', { conversationId, message: 'Why?' });
  const { ticket, expiresAt } = await ticketOf(user, answer.streamId);
  const url = `${brief.url}/api/ws/stream/${answer.streamId}/sse?ticket=${ticket}`;
  let last = await read(url);
  expect(last.status).toBe(200);
  // Clocks may differ by five seconds.
  while (last.status === 200) last = await read(url);
  expect(JSON.parse(last.text)).toMatchObject({ status: 401, code: 'token_expired' });
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt));
  expect(await brief.stop()).toBe(0);
});
