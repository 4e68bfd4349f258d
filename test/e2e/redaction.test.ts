import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { readConfig } from '../../src/platform/config/config.js';
import { TestClient } from '../support/client.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { Canaries, startCollector, type Collector } from '../support/leaks.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, TEST_SECRET, type TestServer } from '../support/server.js';
import { HttpUser, StreamResponse } from '../support/stream-readers.js';
import { token } from '../support/tokens.js';
import { withClient } from '../support/with-client.js';

/** How a provider fails: the behaviours of the same names in test/support/llm-behaviour.ts. */
const LEAKS = ['refusal', 'text', 'header', 'type', 'inside', 'sentence', 'code', 'broken', 'bytes'];
const ROLE = `streamgate_canary_${process.pid}`;

const canaries = new Canaries();
const put = (place: string): string => canaries.put(place);
const apiKey = put('ApiKey');
const metricsToken = put('MetricsToken');

let llm: LlmServer;
let collector: Collector;
let database: TestDatabase;
let server: TestServer;

beforeAll(async () => {
  [llm, collector, database] = await Promise.all([startLlmServer(), startCollector(), createTestDatabase()]);
  const password = put('DatabasePassword');
  await withClient(database.url, (client) =>
    client.query(`create role ${ROLE} superuser login password '${password}'`),
  );
  server = await startServer({
    databaseUrl: Object.assign(new URL(database.url), { username: ROLE, password }).href,
    env: {
      ...{ NODE_ENV: 'production', LOG_LEVEL: 'trace', GUEST_ACCESS: 'true', LLM_API_KEY: apiKey },
      ...{ LLM_BASE_URL: `${llm.baseUrl}?key=${put('BaseUrl')}`, LLM_MODEL: 'echo' },
      LLM_MODELS: LEAKS.map((way) => `leak:${way}`).join(','),
      METRICS_TOKEN: metricsToken,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    },
  });
  canaries.keep(TEST_SECRET);
});

let looked = 0;

/** None is in what the process has printed since the last look. */
function expectNothingNew(): void {
  const from = looked;
  looked = server.output().length;
  expect(canaries.foundIn(server.output().slice(from))).toEqual([]);
}

// What a test did late is found by a later one, and all of it by the last.
afterEach(expectNothingNew);

afterAll(async () => {
  await server?.stop();
  await database?.drop();
  await withClient(inject('adminUrl'), (client) => client.query(`drop role ${ROLE}`));
  collector?.close();
  await llm?.close();
});

/** A user with a socket, whose token and name are secrets, too. */
async function person(userId: string, claims: Record<string, unknown> = {}): Promise<TestClient> {
  const bearer = canaries.keep(await token(userId, { name: put('Name'), jti: put('Jti'), ...claims }));
  return TestClient.connect(server.url, userId, { token: bearer, acks: true });
}

async function room(conversationId: string): Promise<[TestClient, TestClient]> {
  const [alice, bob] = [await person('alice'), await person('bob')];
  await alice.ask('conversation:join', { conversationId, access: 'link' });
  await bob.ask('conversation:join', { conversationId });
  return [alice, bob];
}

test('What people say, are called and set is in no line of the log and in no trace (P11)', async () => {
  const conversationId = 'sayings';
  const [alice, bob] = await room(conversationId);
  const metadata = { [put('MetadataKey')]: put('MetadataValue') };
  const content = put('Content');
  await alice.ask('message:send', { conversationId, clientMessageId: 'one', content, metadata });
  // The echo answers with the same.
  await bob.waitFor('message:new', (message) => message.role === 'assistant' && message.content === content);
  await alice.ask('presence:update', { status: 'busy', metadata: { text: put('Presence') } });
  await alice.ask('ping', { text: put('Ping') });
  const admin = await HttpUser.of(server.url, 'root', { roles: ['admin'] });
  const { body } = await admin.json<{ id: string }>('POST', '/api/conversations', { title: put('Title') });
  await admin.json('PATCH', `/api/conversations/${body.id}`, { title: put('NewTitle') });
  const system = { content: put('System'), metadata: { text: put('SystemMetadata') } };
  await admin.json('POST', '/api/ws/users/bob/messages', system);
  await admin.json('POST', '/api/ws/topics/news/messages', system);
  for (const client of [alice, bob]) client.close();
});

test('Tokens, guest tokens and tickets, good and bad, are in no line of the log and in no trace (P11)', async () => {
  const conversationId = 'tokens';
  const [alice] = await room(conversationId);
  const question = { conversationId, clientMessageId: 'one', content: put('Question') };
  const { streamId = '' } = await alice.ask('message:send', question);
  const bearer = canaries.keep(await token('alice'));
  const user = await HttpUser.of(server.url, 'alice');
  const { body } = await user.json<{ ticket: string }>('POST', '/api/auth/ticket', { streamId });
  const guest = await fetch(`${server.url}/api/auth/guest`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify({ name: put('GuestName') }),
  });
  const { token: guestToken } = (await guest.json()) as { token: string };
  for (const good of [user.token, body.ticket, guestToken]) canaries.keep(good);
  const attach = `${server.url}/api/ws/stream/${streamId}/sse`;
  const seen = await fetch(`${attach}?ticket=${body.ticket}`);
  expect([seen.status, await seen.text()]).toEqual([200, expect.stringContaining('event: complete')]);
  const expired = canaries.keep(await token('alice', { ttlMs: -1e7 }));
  for (const wrong of [put('NoToken'), `${bearer}x`, expired, `${body.ticket}x`]) {
    await TestClient.connect(server.url, 'x', { token: wrong }).catch(() => undefined);
    await alice.raw('auth:refresh', { token: wrong });
    await fetch(`${attach}?ticket=${wrong}`);
    await fetch(`${server.url}/nowhere/?token=${wrong}`, { headers: { authorization: `Bearer ${wrong}` } });
    await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${wrong}` } });
  }
  const headers = { authorization: `Bearer ${metricsToken}` };
  const metrics = await fetch(`${server.url}/metrics`, { headers });
  expect([metrics.status, canaries.foundIn(await metrics.text())]).toEqual([200, []]);
  alice.close();
});

test.each(LEAKS)(
  'A provider that repeats the prompt and the key in its failure (%s): neither is logged, and the key is not shown (P11)',
  async (way) => {
    const conversationId = `leak-${way}`;
    const [alice, bob] = await room(conversationId);
    const content = put(`Prompt${way}`);
    const model = `leak:${way}`;
    await alice.ask('message:send', { conversationId, clientMessageId: 'one', content, model });
    const failed = await bob.waitFor('stream:chunk', ({ type }) => type === 'error');
    expect(JSON.stringify(failed)).toContain('"code":"provider_');
    // Another user, in another conversation, asks the same failing provider.
    const carol = await HttpUser.of(server.url, 'carol');
    const elsewhere = await carol.conversation(`elsewhere-${way}`);
    const answer = await carol.ask('sse', { conversationId: elsewhere, message: 'Well?', model });
    await answer.closed();
    expect(answer.events).toContain('failure');
    expect(canaries.foundIn(answer.text)).toEqual([]);
    const strange = await StreamResponse.open(`${server.url}/api/ws/stream/${failed.streamId}/sse`, carol);
    await strange.closed();
    expect([strange.status, canaries.foundIn(strange.text)]).toEqual([404, []]);
    expect(JSON.stringify([alice.heard, bob.heard, answer.text])).not.toContain(apiKey);
    for (const client of [alice, bob]) client.close();
  },
);

test('What the database says of a row that it refuses is neither in the log nor in the answer (P11)', async () => {
  const conversationId = 'refused-row';
  const [alice, bob] = await room(conversationId);
  await withClient(database.url, (client) =>
    client.query(`alter table messages add constraint picky check (content not like 'CanaryPicky%')`),
  );
  const refused = {
    conversationId,
    clientMessageId: 'one',
    content: put('Picky'),
    metadata: { a: put('A') },
  };
  const answer = await alice.raw('message:send', { ...refused, respond: false });
  expect(answer).toMatchObject({ ok: false, error: { code: 'internal' } });
  const user = await HttpUser.of(server.url, 'bob');
  const response = await user.json('POST', `/api/conversations/${conversationId}/messages`, {
    ...{ content: put('Picky'), clientMessageId: 'two', respond: false },
  });
  expect(response.status).toBe(500);
  expect(canaries.foundIn(JSON.stringify([answer, response.body]))).toEqual([]);
  expect(server.output()).toContain('picky');
  for (const client of [alice, bob]) client.close();
});

test('What cannot be read is not repeated in the log (P11)', async () => {
  const [alice] = await room('unreadable');
  await alice.raw('message:send', {
    conversationId: 'unreadable',
    clientMessageId: 7,
    content: put('Wrong'),
  });
  await alice.raw(put('Event'), { text: put('Unknown') });
  alice.socket.emit('message:send', { content: put('Unasked') });
  const headers = { authorization: `Bearer ${await token('alice')}`, 'content-type': 'application/json' };
  for (const body of [`{"content":"${put('Json')}`, put('Text'), `{"${put('Key')}":1}`]) {
    const response = await fetch(`${server.url}/api/conversations`, { method: 'POST', headers, body });
    expect(response.status).toBe(400);
  }
  await fetch(`${server.url}/api/conversations?cursor=${put('Cursor')}`, { headers });
  alice.close();
});

test('A configuration that cannot be read names its variables, not what they hold (P11)', () => {
  const wrong = {
    ...{ DATABASE_URL: `mysql://user:${put('BadUrl')}@host/x`, LLM_BASE_URL: `ftp://${put('BadBase')}` },
    ...{ AUTH_JWT_SECRET: put('Short'), METRICS_TOKEN: put('Metrics'), LLM_API_KEY: put('Key') },
    ...{ PORT: put('Port'), NODE_ENV: put('Mode'), AUTH_JWT_PUBLIC_KEY: put('Pem') },
  };
  let said = '';
  try {
    readConfig(wrong);
  } catch (error) {
    said = String(error);
  }
  expect(said).toContain('DATABASE_URL');
  expect(canaries.foundIn(said)).toEqual([]);
});

test('The whole output and all traces, to the end of the process, contain none of it (P11)', async () => {
  expect(await server.terminate()).toBe(0);
  expect(server.output()).toContain('answer failed');
  expect(canaries.foundIn(server.output())).toEqual([]);
  expect(collector.said()).toContain('gen_ai.request.model');
  expect(canaries.foundIn(collector.said())).toEqual([]);
});
