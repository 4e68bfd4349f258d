import { afterEach, expect, test } from 'vitest';
import { isTerminal } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { http } from '../support/http.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, type TestServer } from '../support/server.js';
import { answerOf, HttpUser } from '../support/stream-readers.js';
import { waitForStreams } from '../support/stream-log.js';

const QUESTION = 'How do I use my own PostgreSQL?';
/** One that ends before the clients have gone, and one that does not; neither can be continued elsewhere. */
const SHORT = 'words:20:20';
const LONG = 'words:40:100';

const servers: TestServer[] = [];
const clients: TestClient[] = [];
let llm: LlmServer | undefined;

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  // The database belongs to the first.
  for (const server of servers.splice(0).toReversed()) await server.stop();
  await llm?.close();
  llm = undefined;
});

async function start(env: Record<string, string>, databaseUrl?: string): Promise<TestServer> {
  const server = await startServer({ env, ...(databaseUrl !== undefined && { databaseUrl }) });
  servers.push(server);
  return server;
}

async function joined(
  url: string,
  userId: string,
  transports: ['polling'] | ['websocket'] = ['websocket'],
): Promise<TestClient> {
  const client = await TestClient.connect(url, userId, { transports });
  clients.push(client);
  await client.ask('conversation:join', { conversationId: 'room', access: 'link' });
  return client;
}

/** What a client hears from the beginning of the end, and why it was disconnected. */
async function farewell({ heard, socket }: TestClient): Promise<{ reason: string; events: string[] }> {
  const reason = await new Promise<string>((resolve) => socket.once('disconnect', resolve));
  const events = heard.map(({ event }) => event);
  return { reason, events: events.slice(events.indexOf('connection:draining')) };
}

test('Clients go by their transports, also by polling, before the first answer does; one that cannot be continued ends within the grace (P5, P12)', async () => {
  llm = await startLlmServer();
  const server = await start({
    ...{ SHUTDOWN_SPREAD_MS: '1500', STREAM_CHUNK_DELAY_MS: '0', GUIDE_WORDS_PER_SECOND: '20' },
    ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: LONG, LLM_MODELS: SHORT },
  });
  const watching = await Promise.all(
    Array.from({ length: 8 }, (_, n) => joined(server.url, `user${n}`, [n % 2 ? 'polling' : 'websocket'])),
  );
  const user = await HttpUser.of(server.url, 'user0');
  const ask = { conversationId: 'room', message: QUESTION };
  const guide = await user.ask('sse', { ...ask, provider: 'guide' });
  const long = await user.ask('http', ask);
  const short = await user.ask('sse', { ...ask, model: SHORT });
  await Promise.all([guide, long, short].map((viewer) => viewer.until(() => viewer.lines.length >= 2)));
  const left = watching.map(farewell);
  const exit = server.terminate();
  const farewells = await Promise.all(left);
  for (const { reason, events } of farewells.filter((_, n) => n % 2 === 0)) {
    expect([reason, events[0]]).toEqual(['transport close', 'connection:draining']);
  }
  // Each request of long polling may need a connection of its own, and nobody listens any more.
  for (const { reason } of farewells.filter((_, n) => n % 2 === 1))
    expect(reason).toMatch(/^transport (?:close|error)$/);
  // All had gone when the first answer was handed over.
  const heard = watching.flatMap((client) => client.all('stream:status'));
  expect(heard.filter(({ status }) => status === 'interrupted')).toEqual([]);
  expect(farewells.some(({ events }) => events.includes('stream:chunk'))).toBe(true);
  await Promise.all([guide, long, short].map((viewer) => viewer.closed()));
  expect(await exit).toBe(0);
  expect([guide.ended, guide.chunks.some(isTerminal)]).toEqual([false, false]);
  expect([answerOf(long.chunks), answerOf(short.chunks)]).toEqual([wordsText(40), wordsText(20)]);
  const statuses = [guide, long, short].map(async ({ streamId }) => {
    const [stored] = await waitForStreams(server.databaseUrl, [streamId], () => true);
    return stored?.status;
  });
  expect(await Promise.all(statuses)).toEqual(['interrupted', 'completed', 'completed']);
});

test('What the embedded PostgreSQL is still to take is in it before it ends: answers, and what was taken at the word of a socket (P5, P8, P12)', async () => {
  const server = await start({ GUIDE_WORDS_PER_SECOND: '20' }, '');
  const [ann, bob] = [await joined(server.url, 'ann'), await joined(server.url, 'bob')];
  const asked = await ann.ask('message:send', {
    ...{ conversationId: 'room', clientMessageId: 'q', content: QUESTION },
  });
  await bob.waitFor('stream:chunk', ({ sequence }) => sequence >= 2);
  const last = { conversationId: 'room', clientMessageId: 'last', content: 'Bye.', respond: false };
  await ann.ask('message:send', last);
  await bob.waitFor('message:new', ({ clientMessageId }) => clientMessageId === 'last');
  expect(await server.terminate()).toBe(0);
  const next = await server.restart();
  servers.push(next);
  const waiting = await http(next.url, 'GET /api/ws/queue/bob', { userId: 'bob' });
  expect(((await waiting.json()) as { items: unknown[] }).items).toEqual([]);
  const state = await http(next.url, `GET /api/ws/stream/${asked.streamId}/status`, { userId: 'ann' });
  // Released, and not found dead: the next process need not wait for a lease to run out.
  expect(await state.json()).toMatchObject({ interruptions: 1, error: null });
}, 60_000);
