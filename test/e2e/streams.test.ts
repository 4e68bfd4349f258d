import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Message, SendPayload } from '../../src/protocol/index.js';
import { RefusedError, TestClient } from '../support/client.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { chunksOf, expectWholeStream, textOf } from '../support/streams.js';
import { withClient } from '../support/with-client.js';

const MODELS = 'words:40:5,words:3,echo,stall:none';

let server: TestServer;
let llm: LlmServer;

beforeAll(async () => {
  llm = await startLlmServer();
  server = await startServer({
    env: {
      ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:60:3' },
      ...{ LLM_MODELS: MODELS },
      ...{ STREAM_CHUNK_DELAY_MS: '0', STREAM_MAX_PER_USER: '3' },
    },
  });
});
afterAll(async () => {
  await stopCleanly(server);
  await llm.close();
});

let rooms = 0;
/** A conversation that all of `names` have joined; the first owns it. */
async function room(...names: string[]): Promise<{ id: string; clients: TestClient[] }> {
  rooms += 1;
  const id = `streams-${rooms}`;
  const clients: TestClient[] = [];
  for (const name of names) {
    const client = await TestClient.connect(server.url, `${name}-${rooms}`, { name });
    await client.ask('conversation:join', { conversationId: id, access: 'link' });
    clients.push(client);
  }
  return { id, clients };
}

function question(conversationId: string, fields: Partial<SendPayload> = {}): SendPayload {
  return { conversationId, clientMessageId: 'q', content: 'Why?', ...fields };
}

/** The assistant's message that answers the question with `streamId`. */
function answer(viewer: TestClient, streamId: string | undefined): Promise<Message> {
  return viewer.waitFor('message:new', (message) => message.streamId === streamId);
}

async function codeOf(asked: Promise<unknown>): Promise<string> {
  const error = await asked.then(
    () => expect.unreachable('it was accepted'),
    (thrown: unknown) => thrown,
  );
  return (error as RefusedError).error.code;
}

test('50 streams at once in 10 conversations: every chunk at both viewers of each, and one message (P3, P4, P5)', async () => {
  const places = await Promise.all(
    Array.from({ length: 10 }, async (_, place) => {
      const id = `many-${place}`;
      const names = ['asker', 'viewer', 'a', 'b', 'c', 'd'];
      const clients: TestClient[] = [];
      for (const name of names) {
        const client = await TestClient.connect(server.url, `${name}-${id}`);
        await client.ask('conversation:join', { conversationId: id, access: 'link' });
        clients.push(client);
      }
      return { id, clients };
    }),
  );
  const asked = await Promise.all(
    places.flatMap(({ id, clients }) =>
      clients.slice(1).map(async (client) => {
        const { streamId } = await client.ask('message:send', question(id, { includeContext: false }));
        return { streamId: streamId as string, viewers: [client, clients[0] as TestClient] };
      }),
    ),
  );
  expect(new Set(asked.map(({ streamId }) => streamId)).size).toBe(50);
  for (const { streamId, viewers } of asked) {
    const seen = [];
    for (const viewer of viewers) {
      await answer(viewer, streamId);
      seen.push(expectWholeStream(viewer, streamId));
    }
    expect(seen[0]?.text).toBe(wordsText(60));
    expect(JSON.stringify(seen[1])).toBe(JSON.stringify(seen[0]));
  }
  for (const { id, clients } of places) {
    const { messages } = await clients[0]!.ask('message:history', { conversationId: id, afterSeq: 0 });
    expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: 10 }, (_, index) => index + 1));
    for (const client of clients) client.close();
  }
});

test('What the log holds is what viewers saw, byte for byte (P4)', async () => {
  const { id, clients } = await room('alice');
  const { streamId } = await clients[0]!.ask('message:send', question(id));
  await answer(clients[0]!, streamId);
  const { chunks } = expectWholeStream(clients[0]!, streamId as string);
  const logged = await withClient(server.databaseUrl, async (database) => {
    const { rows } = await database.query<{ line: string }>(
      `select json_build_array(sequence, type, content, metadata)::text as line from stream_chunks
       where stream_id = $1 order by sequence`,
      [streamId],
    );
    return rows.map(({ line }) => JSON.stringify(JSON.parse(line)));
  });
  expect(chunks.map((c) => JSON.stringify([c.sequence, c.type, c.content, c.metadata ?? null]))).toEqual(
    logged,
  );
});

test('A client that joins in the middle gets a snapshot, which later chunks continue without gap or repeat', async () => {
  const { id, clients } = await room('alice', 'bob');
  const [alice, bob] = clients as [TestClient, TestClient];
  const sent = await alice.ask('message:send', question(id, { model: 'words:40:5' }));
  const streamId = sent.streamId as string;
  await alice.waitFor('stream:chunk', (chunk) => chunk.streamId === streamId && chunk.sequence === 2);
  const late = await TestClient.connect(server.url, bob.userId);
  const { activeStreams } = await late.ask('conversation:join', { conversationId: id });
  expect(activeStreams).toHaveLength(1);
  const { snapshot, ...state } = activeStreams[0]!;
  expect(state).toMatchObject({ streamId, status: 'streaming', conversationId: id, userId: alice.userId });
  expect(state.replyTo).toEqual({ messageId: sent.message.id, seq: 1, clientMessageId: 'q' });
  expect(snapshot.sequence).toBeGreaterThanOrEqual(2);
  expect(snapshot.sequence).toBe(state.lastSequence);
  const { id: messageId } = await answer(late, streamId);
  expect(state.messageId).toBe(messageId);
  const later = chunksOf(late, streamId).filter(({ sequence }) => sequence > snapshot.sequence);
  expect(later.map(({ sequence }) => sequence)).toEqual(later.map((_, n) => snapshot.sequence + 1 + n));
  expect(snapshot.text + textOf(later)).toBe(wordsText(40));
  await answer(bob, streamId);
  expectWholeStream(bob, streamId);
  const again = await bob.ask('conversation:join', { conversationId: id });
  expect(again.activeStreams).toEqual([]);
});

describe('What starts no stream', () => {
  test('respond: false', async () => {
    const { id, clients } = await room('alice', 'bob');
    const before = llm.requests.length;
    const sent = await clients[0]!.ask('message:send', question(id, { respond: false }));
    expect(sent).not.toHaveProperty('streamId');
    await clients[1]!.waitFor('message:new');
    expect((await clients[1]!.ask('conversation:join', { conversationId: id })).activeStreams).toEqual([]);
    expect(llm.requests.length).toBe(before);
  });

  test('a repeat: it gives the first streamId again, whatever it says (P2)', async () => {
    const { id, clients } = await room('alice');
    const alice = clients[0]!;
    const first = await alice.ask('message:send', question(id, { model: 'words:3' }));
    const repeats = await Promise.all(
      [{}, { content: 'Other' }, { respond: false }, { model: 'echo' }].map((fields) =>
        alice.ask('message:send', question(id, fields)),
      ),
    );
    for (const repeat of repeats) expect(repeat).toEqual({ ...first, duplicate: true });
    await answer(alice, first.streamId);
    const late = await alice.ask('message:send', question(id));
    expect(late).toEqual({ ...first, duplicate: true });
    expect(alice.all('stream:started')).toHaveLength(1);
  });

  test('the same message sent at once on two connections: one of them stores it (P2)', async () => {
    const { id, clients } = await room('alice');
    const other = await TestClient.connect(server.url, clients[0]!.userId);
    const before = llm.requests.length;
    const sends = await Promise.all(
      [clients[0]!, other, clients[0]!, other].map((client) => client.ask('message:send', question(id))),
    );
    expect(sends.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(
      new Set(sends.map(({ streamId, message }) => `${streamId} ${message.id} ${message.seq}`)).size,
    ).toBe(1);
    await answer(clients[0]!, sends[0]?.streamId);
    expect(llm.requests.length).toBe(before + 1);
  });

  test('too many at once: nothing is stored, and the same clientMessageId works later', async () => {
    const { id, clients } = await room('alice');
    const alice = clients[0]!;
    const running = [];
    for (const clientMessageId of ['s1', 's2', 's3']) {
      running.push(await alice.ask('message:send', question(id, { clientMessageId, model: 'stall:none' })));
    }
    const refused = await alice.raw('message:send', question(id, { clientMessageId: 'fourth' }));
    expect(refused).toMatchObject({
      ...{
        ok: false,
        error: { code: 'too_many_streams', retryable: true, retryAfterMs: expect.any(Number) as number },
      },
    });
    const people = await alice.ask('message:send', question(id, { clientMessageId: 'talk', respond: false }));
    expect(people.message.seq).toBe(4);
    await alice.ask('stream:cancel', { streamId: running[0]?.streamId as string });
    const later = await alice.ask(
      'message:send',
      question(id, { clientMessageId: 'fourth', model: 'words:3' }),
    );
    expect(later).toMatchObject({
      duplicate: false,
      message: { seq: 5 },
      streamId: expect.any(String) as string,
    });
    for (const { streamId } of running.slice(1))
      await alice.ask('stream:cancel', { streamId: streamId as string });
  });

  test('a provider or model that is not offered: invalid_payload, and nothing is stored', async () => {
    const { id, clients } = await room('alice');
    expect(await codeOf(clients[0]!.ask('message:send', question(id, { provider: 'nobody' })))).toBe(
      'invalid_payload',
    );
    expect(await codeOf(clients[0]!.ask('message:send', question(id, { model: 'gpt-99' })))).toBe(
      'invalid_payload',
    );
    const wrong = question(id, { provider: 'guide', model: 'words:3' });
    expect(await codeOf(clients[0]!.ask('message:send', wrong))).toBe('invalid_payload');
    const sent = await clients[0]!.ask('message:send', question(id, { model: 'words:3' }));
    expect(sent).toMatchObject({ duplicate: false, message: { seq: 1 } });
    await answer(clients[0]!, sent.streamId);
  });
});

test('stream: false emits none of stream:*, only the message at the end', async () => {
  const { id, clients } = await room('alice', 'bob');
  const sent = await clients[0]!.ask('message:send', question(id, { stream: false, model: 'words:40:5' }));
  const late = await clients[1]!.ask('conversation:join', { conversationId: id });
  expect(late.activeStreams).toEqual([]);
  for (const client of clients) {
    const message = await answer(client, sent.streamId);
    expect(message).toMatchObject({
      content: wordsText(40),
      metadata: { finish: 'complete' },
      replyTo: { seq: 1 },
    });
    await client.ask('ping', null);
    expect(client.heard.filter(({ event }) => event.startsWith('stream:'))).toEqual([]);
  }
});
