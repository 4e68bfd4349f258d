import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Chunk, ControlResult } from '../../src/protocol/index.js';
import { RefusedError, TestClient } from '../support/client.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { chunksOf, expectWholeChunks, expectWholeStream } from '../support/streams.js';
import { withClient } from '../support/with-client.js';

let server: TestServer;
let llm: LlmServer;
let rooms = 0;

beforeAll(async () => {
  llm = await startLlmServer();
  server = await startServer({
    env: {
      RATE_LIMIT_ENABLED: 'false',
      ...{
        LLM_BASE_URL: llm.baseUrl,
        LLM_MODEL: 'words:1000:5',
        LLM_MODELS: 'stall:none,stall:3,words:3,words:12:30,words:12:60,words:12:120',
      },
      ...{ STREAM_CHUNK_DELAY_MS: '0', STREAM_MAX_PER_USER: '1000' },
    },
  });
});
afterAll(async () => {
  await stopCleanly(server);
  await llm.close();
});

interface Asked {
  id: string;
  streamId: string;
  owner: TestClient;
  asker: TestClient;
  member: TestClient;
}

/** A conversation of three; one who is not its owner asks. */
async function asked(model = 'words:1000:5'): Promise<Asked> {
  rooms += 1;
  const id = `cancel-${rooms}`;
  const [owner, asker, member] = (await Promise.all(
    ['owner', 'asker', 'member'].map((name) => TestClient.connect(server.url, `${name}-${rooms}`)),
  )) as [TestClient, TestClient, TestClient];
  for (const client of [owner, asker, member]) {
    await client.ask('conversation:join', { conversationId: id, access: 'link' });
  }
  const question = { conversationId: id, clientMessageId: 'q', content: 'Why?', model };
  const { streamId } = await asker.ask('message:send', question);
  return { id, streamId: streamId as string, owner, asker, member };
}

function cancel(client: TestClient, streamId: string): Promise<ControlResult> {
  return client.ask('stream:cancel', { streamId });
}

async function codeOf(refused: Promise<unknown>): Promise<string> {
  const error = await refused.then(
    () => expect.unreachable('it was accepted'),
    (thrown: unknown) => thrown,
  );
  return (error as RefusedError).error.code;
}

function chunk(client: TestClient, streamId: string, fits: (chunk: Chunk) => boolean): Promise<Chunk> {
  return client.waitFor('stream:chunk', (heard) => heard.streamId === streamId && fits(heard));
}

/** Sequences that the log holds. */
async function logged(streamId: string): Promise<number[]> {
  return withClient(server.databaseUrl, async (database) => {
    const { rows } = await database.query<{ sequence: number }>(
      'select sequence from stream_chunks where stream_id = $1 order by sequence',
      [streamId],
    );
    return rows.map(({ sequence }) => sequence);
  });
}

test('A cancelled answer: nothing after the ack, the provider is left, the text so far is the message (P5, P6)', async () => {
  const { id, streamId, owner, asker, member } = await asked();
  await chunk(asker, streamId, ({ sequence }) => sequence === 5);
  const index = llm.requests.length - 1;
  const ack = await cancel(asker, streamId);
  const inLog = await logged(streamId);
  expect(ack).toEqual({ ok: true, status: 'cancelled', lastSequence: inLog.length - 1 });
  expect((await llm.waitForClose(index)).aborted).toBe(true);
  for (const viewer of [owner, asker, member]) {
    await viewer.waitFor('message:new', (message) => message.streamId === streamId);
    const seen = expectWholeStream(viewer, streamId);
    expect(seen.terminal).toMatchObject({
      type: 'cancelled',
      sequence: ack.lastSequence,
      metadata: { reason: 'user' },
    });
    expect(seen.text).not.toBe('');
    expect(wordsText(1000).startsWith(seen.text)).toBe(true);
    expect(seen.message).toMatchObject({ seq: 2, metadata: { finish: 'cancelled' } });
    expect(viewer.all('stream:status').at(-1)).toEqual({
      streamId,
      ...{ status: 'cancelled', lastSequence: ack.lastSequence },
      reason: 'user',
    });
  }
  // The provider is gone and later work is done: had anything more been written, it would be there.
  await owner.ask('message:send', {
    conversationId: id,
    clientMessageId: 'later',
    content: 'x',
    respond: false,
  });
  expect(await logged(streamId)).toEqual(inLog);
  expect(chunksOf(asker, streamId)).toHaveLength(inLog.length);
});

test('Before the first delta: no text, no message (P5)', async () => {
  const before = llm.requests.length;
  const { id, streamId, asker } = await asked('stall:none');
  const request = await llm.waitForRequest(before);
  expect(request.body.model).toBe('stall:none');
  const ack = await cancel(asker, streamId);
  await chunk(asker, streamId, ({ type }) => type === 'cancelled');
  const seen = expectWholeChunks(chunksOf(asker, streamId));
  expect(seen.terminal.metadata).toMatchObject({ contentChunks: 0, contentBytes: 0, reason: 'user' });
  expect(seen.terminal.metadata).not.toHaveProperty('messageId');
  expect(seen.terminal.sequence).toBe(ack.lastSequence);
  await llm.waitForClose(before);
  expect((await asker.ask('conversation:join', { conversationId: id })).lastSeq).toBe(1);
});

test('At once after the question, many times: always one end, and no provider is left open (P5, P6)', async () => {
  const { id, asker } = await asked('words:3');
  const ids = await Promise.all(
    Array.from({ length: 40 }, async (_, n) => {
      const question = { conversationId: id, clientMessageId: `m${n}`, content: 'Why?', model: 'stall:3' };
      const { streamId } = await asker.ask('message:send', question);
      expect(await cancel(asker, streamId as string)).toMatchObject({ status: 'cancelled' });
      return streamId as string;
    }),
  );
  for (const streamId of ids) {
    await chunk(asker, streamId, ({ type }) => type === 'cancelled');
    const inLog = await logged(streamId);
    expect(inLog).toEqual(inLog.map((_, n) => n));
  }
  for (const index of llm.requests.keys()) await llm.waitForClose(index);
});

describe('A repeat', () => {
  test('finds the wanted state: ok, with the same answer', async () => {
    const { streamId, asker, owner } = await asked();
    await chunk(asker, streamId, ({ sequence }) => sequence === 2);
    const acks = await Promise.all([asker, owner, asker].map((client) => cancel(client, streamId)));
    const late = await cancel(owner, streamId);
    for (const ack of acks) expect(ack).toEqual(late);
    await asker.waitFor('message:new', (message) => message.streamId === streamId);
    expectWholeStream(asker, streamId);
  });

  test('after the natural end is stream_ended', async () => {
    const { streamId, asker } = await asked('words:3');
    await chunk(asker, streamId, ({ type }) => type === 'complete');
    expect(await codeOf(cancel(asker, streamId))).toBe('stream_ended');
    await asker.waitFor('message:new', (message) => message.streamId === streamId);
    expect(expectWholeStream(asker, streamId).terminal.type).toBe('complete');
  });
});

describe('Who may', () => {
  test('another member: forbidden; a stranger: not_found; the owner and admins: ok (P10)', async () => {
    const { streamId, member, owner } = await asked('stall:3');
    const stranger = await TestClient.connect(server.url, 'stranger');
    expect(await codeOf(cancel(member, streamId))).toBe('forbidden');
    expect(await codeOf(cancel(stranger, streamId))).toBe('not_found');
    expect(await cancel(owner, streamId)).toMatchObject({ status: 'cancelled' });
    expect(await codeOf(cancel(member, streamId))).toBe('forbidden');
    expect(await codeOf(cancel(stranger, streamId))).toBe('not_found');
    const other = await asked('stall:3');
    const admin = await TestClient.connect(server.url, 'admin', { roles: ['admin'] });
    expect(await cancel(admin, other.streamId)).toMatchObject({ status: 'cancelled' });
  });

  test('an unknown stream is not_found', async () => {
    const { asker, streamId } = await asked('words:3');
    const unknown = '01890a5d-ac96-774b-bcce-b302099a8057';
    expect(await codeOf(cancel(asker, unknown))).toBe('not_found');
    await asker.waitFor('message:new', (message) => message.streamId === streamId);
  });
});

/** Cancels answers of 14 chunks, `chunkMs` apart, one behind each chunk; six of each. */
async function race({ id, asker }: Asked, chunkMs: number) {
  return Promise.all(
    Array.from({ length: 78 }, async (_, n) => {
      const question = {
        conversationId: id,
        clientMessageId: `race-${chunkMs}-${n}`,
        content: 'Why?',
        model: `words:12:${chunkMs}`,
      };
      const { streamId } = await asker.ask('message:send', { ...question, includeContext: false });
      // From the first chunk to the last, the terminal one.
      const from = n % 14;
      await chunk(asker, streamId as string, ({ sequence, type }) => sequence >= from || type === 'complete');
      const ack = await asker.raw('stream:cancel', { streamId });
      return { streamId: streamId as string, ack };
    }),
  );
}

test('Racing the natural end: one terminal chunk each, last and in order, and the ack tells the truth (P5, P6)', async () => {
  const people = await asked('words:3');
  const { asker, owner, streamId: first } = people;
  await chunk(asker, first, ({ type }) => type === 'complete');
  let outcomes = await race(people, 30);
  // On a busy machine the client is too late for all, or the ends are.
  for (const chunkMs of [60, 120]) {
    if (new Set(outcomes.map(({ ack }) => ack.ok)).size < 2) outcomes = await race(people, chunkMs);
  }
  for (const { streamId, ack } of outcomes) {
    for (const viewer of [asker, owner]) {
      const end = await chunk(viewer, streamId, ({ type }) => type === 'complete' || type === 'cancelled');
      if ((end.metadata as { messageId?: string }).messageId !== undefined) {
        await viewer.waitFor('message:new', (message) => message.streamId === streamId);
      }
      const seen = expectWholeStream(viewer, streamId);
      const { sequence: lastSequence } = seen.terminal;
      expect(ack).toMatchObject(
        ack.ok ? { status: 'cancelled', lastSequence } : { error: { code: 'stream_ended' } },
      );
      expect(seen.terminal.type).toBe(ack.ok ? 'cancelled' : 'complete');
    }
  }
  expect(new Set(outcomes.map(({ ack }) => ack.ok)).size, 'both ends must have been raced').toBe(2);
});
