import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Problem, SendResult } from '../../src/protocol/index.js';
import { RefusedError, TestClient, tokenFor } from '../support/client.js';
import { http } from '../support/http.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { readPage, rowsOf } from '../support/pages.js';
import { POLICY_CALLS, type PolicyCall, type Scene } from '../support/policy-calls.js';
import { startServer, type TestServer } from '../support/server.js';
import { surface } from '../support/surface.js';

const COLUMNS = ['nobody', 'stranger', 'guest', 'member', 'owner', 'admin'] as const;
type Column = (typeof COLUMNS)[number];
/** Who asked the question, and is still a member or has been removed since. */
type Actor = Column | 'asker' | 'removed';

const BYSTANDER = 'bystander';
const { events, routes } = surface();
const rows = rowsOf(await readPage('docs/security.md'));
const start = rows.findIndex(([first]) => first === 'event or route') + 2;
const table = rows.slice(start).filter((cells) => cells.length === COLUMNS.length + 1);
const documented = new Map(table.map(([name = '', ...cells]) => [name.replaceAll('`', ''), cells]));

let llm: LlmServer;
let server: TestServer;
const tokens = new Map<Actor, string>();
const clients = new Map<Actor, TestClient>();
const bystanders: TestClient[] = [];

beforeAll(async () => {
  llm = await startLlmServer();
  server = await startServer({
    env: {
      ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'stall:2', STREAM_CHUNK_DELAY_MS: '0' },
      ...{ STREAM_MAX_PER_USER: '50', RATE_LIMIT_ENABLED: 'false' },
      // No answer ends by itself.
      SHUTDOWN_GRACE_MS: '1000',
    },
  });
  const guest = await fetch(`${server.url}/api/auth/guest`, { method: 'POST' });
  tokens.set('guest', ((await guest.json()) as { token: string }).token);
  for (const name of ['stranger', 'member', 'owner', 'asker', 'removed'] as const) {
    tokens.set(name, await tokenFor(name));
  }
  tokens.set('admin', await tokenFor('admin', { roles: ['admin'] }));
  for (const [actor, token] of tokens) {
    clients.set(actor, await TestClient.connect(server.url, actor, { token }));
  }
});

afterAll(async () => {
  for (const client of [...clients.values(), ...bystanders]) client.close();
  await server.stop();
  await llm.close();
});

/** A conversation of its own for each try, so that none finds what another has left. */
async function setScene(actor: Actor, { stream, connection }: PolicyCall): Promise<Scene> {
  const conversationId = randomUUID();
  const path = `/api/conversations/${conversationId}`;
  await http(server.url, 'POST /api/conversations', { userId: 'owner', body: { id: conversationId } });
  const asker = actor === 'asker' || actor === 'removed' ? actor : BYSTANDER;
  for (const userId of new Set(['member', BYSTANDER, asker])) {
    await http(server.url, `PUT ${path}/members/${userId}`, { userId: 'owner' });
  }
  const token = tokens.get(actor) ?? '';
  const scene = { conversationId, streamId: '', userId: BYSTANDER, connectionId: '', token };
  if (connection) return { ...scene, connectionId: await connectBystander() };
  const streamId = stream ? await ask(conversationId, asker) : '';
  if (actor === 'removed') await joinAndRemove(conversationId, actor);
  return { ...scene, streamId };
}

async function ask(conversationId: string, userId: string): Promise<string> {
  const body = { clientMessageId: 'q1', content: 'Why?' };
  const route = `POST /api/conversations/${conversationId}/messages` as const;
  const sent = await http(server.url, route, { userId, body });
  return ((await sent.json()) as SendResult).streamId as string;
}

/** The connection has joined before, so that what it remembers could let it in. */
async function joinAndRemove(conversationId: string, userId: Actor): Promise<void> {
  await clients.get(userId)?.raw('conversation:join', { conversationId });
  const route = `DELETE /api/conversations/${conversationId}/members/${userId}` as const;
  await http(server.url, route, { userId: 'owner' });
}

async function connectBystander(): Promise<string> {
  const client = await TestClient.connect(server.url, BYSTANDER);
  bystanders.push(client);
  return client.socket.id as string;
}

/** `yes`, or the code of the refusal. */
async function outcome(name: string, actor: Actor): Promise<string> {
  const call = POLICY_CALLS[name] as PolicyCall;
  const scene = await setScene(actor, call);
  const result = await (name.includes(' ') ? request(name, call, scene) : emit(name, call, { scene, actor }));
  if (scene.streamId !== '') {
    await http(server.url, `POST /api/ws/stream/${scene.streamId}/cancel`, { userId: 'owner' });
  }
  return result;
}

async function request(name: string, { payload, query = '' }: PolicyCall, scene: Scene): Promise<string> {
  const [method = '', route = ''] = name.split(' ');
  const path = route
    .replace(/:(id|conversationId)\b/, scene.conversationId)
    .replace(':streamId', scene.streamId)
    .replace(':userId', scene.userId)
    .replace(':connectionId', scene.connectionId)
    .replace(':topic', 'news');
  const headers = {
    ...(scene.token && { authorization: `Bearer ${scene.token}` }),
    ...(payload && { 'content-type': 'application/json' }),
  };
  // Renewing a guest is another matter than becoming one.
  const sent = name === 'POST /api/auth/guest' ? {} : headers;
  const body = payload && { body: JSON.stringify(payload(scene)) };
  const leaving = new AbortController();
  const response = await fetch(server.url + path + query, {
    ...{ method, headers: sent, signal: leaving.signal, ...body },
  });
  if (!response.ok) return `\`${((await response.json()) as Problem).code}\``;
  leaving.abort();
  return 'yes';
}

async function emit(
  name: string,
  { payload }: PolicyCall,
  { scene, actor }: { scene: Scene; actor: Actor },
): Promise<string> {
  const client = clients.get(actor);
  if (!client) return refusedConnection();
  const ack = await client.raw(name, ...(payload ? [payload(scene)] : []));
  return ack.ok ? 'yes' : `\`${ack.error.code}\``;
}

async function refusedConnection(): Promise<string> {
  const refused = await TestClient.connect(server.url, 'nobody', { token: null }).catch((e: unknown) => e);
  return refused instanceof RefusedError ? `\`${refused.error.code}\`` : 'yes';
}

describe('docs/security.md says who may do what (P10)', () => {
  test('for every event and every route of the server, and for no other', () => {
    const found = [...events, ...routes];
    expect(found.length).toBeGreaterThan(30);
    expect([...documented.keys()].toSorted()).toEqual(found.toSorted());
    expect(Object.keys(POLICY_CALLS).toSorted()).toEqual(found.toSorted());
    expect(rows[start - 2]).toEqual(['event or route', ...COLUMNS]);
  });

  test.each(Object.keys(POLICY_CALLS))('and the server keeps to it: %s', async (name) => {
    const results = await Promise.all(COLUMNS.map((column) => outcome(name, column)));
    expect(results).toEqual(documented.get(name));
  });

  const controls = new Set(
    Object.keys(POLICY_CALLS).filter((name) => /^(stream:|POST .*)(pause|resume|cancel)$/.test(name)),
  );
  const cellOf = (name: string, column: Column) => documented.get(name)?.[COLUMNS.indexOf(column)];

  test.each(Object.keys(POLICY_CALLS))(
    'who asked may control the answer, and else what a member may; once removed, what a stranger may: %s',
    async (name) => {
      expect(controls.size).toBe(6);
      expect({
        asker: await outcome(name, 'asker'),
        removed: await outcome(name, 'removed'),
      }).toEqual({
        asker: controls.has(name) ? 'yes' : cellOf(name, 'member'),
        removed: cellOf(name, 'stranger'),
      });
    },
  );

  test('a user may see and clear its own queue, and leave', async () => {
    const scene = await setScene('member', {});
    const mine = [
      `GET /api/ws/queue/${BYSTANDER}`,
      `DELETE /api/ws/queue/${BYSTANDER}`,
      `DELETE /api/conversations/${scene.conversationId}/members/${BYSTANDER}`,
    ] as const;
    for (const route of mine) {
      const { ok } = await http(server.url, route, { userId: BYSTANDER });
      expect([route, ok]).toEqual([route, true]);
    }
  });
});
