import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Chunk } from '../../src/protocol/index.js';
import { isTerminal } from '../../src/protocol/index.js';
import { RefusedError, TestClient } from '../support/client.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, type TestServer } from '../support/server.js';
import { answerOf, HttpUser, type StreamResponse } from '../support/stream-readers.js';
import { withClient } from '../support/with-client.js';

const STREAMS = 200;
const WORDS = 50;
const MODEL = `words:${WORDS}:100`;
/** How often each viewer is cut; the last time it is let be. */
const CUTS = 3;

let llm: LlmServer;
let server: TestServer;
let user: HttpUser;
/** A sequence of its own, so that a failure can be seen again. */
let seed = 20_260_301;

beforeAll(async () => {
  llm = await startLlmServer();
  server = await startServer({
    env: {
      ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: MODEL, STREAM_CHUNK_DELAY_MS: '20' },
      ...{
        RATE_LIMIT_ENABLED: 'false',
        MAX_CONNECTIONS_PER_USER: '1000',
        STREAM_MAX_PER_USER: '1000',
        STREAM_MAX_CONCURRENT: '1000',
        MAX_CONNECTIONS: '10000',
      },
    },
  });
  user = await HttpUser.of(server.url, 'alice');
});

afterAll(async () => {
  await server?.stop();
  await llm?.close();
});

function random(max: number): number {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
  return seed % max;
}

/** Asks or connects again after `timeout`, as clients do: a loaded machine may be slow. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      // The server says so with a code, the client alone with its message.
      const isLate =
        error instanceof RefusedError ? error.error.code === 'timeout' : String(error).endsWith('timeout');
      if (!isLate) throw error;
    }
  }
}

/** Asks until there is an answer: with the same `clientMessageId` that is safe (P2). */
async function ask(conversationId: string): Promise<{ conversationId: string; streamId: string }> {
  for (;;) {
    const path = `/api/conversations/${conversationId}/messages`;
    const question = { clientMessageId: 'q', content: 'Well?' };
    const { status, body } = await user.json<{ streamId: string }>('POST', path, question);
    if (status < 300) return { conversationId, streamId: body.streamId };
    if (status !== 503) throw new Error(`asking gave ${status}`);
  }
}

/** Attaches, and again after a connection that the server closes for a while, as an EventSource does. */
async function attach(
  format: 'sse' | 'http',
  streamId: string,
  position: Parameters<HttpUser['attach']>[2],
): Promise<StreamResponse> {
  for (;;) {
    try {
      return await user.attach(format, streamId, position);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
    }
  }
}

/** Reads `format` to the end, cut at random in the middle, each time going on where it was. */
async function readHttp(format: 'sse' | 'http', streamId: string): Promise<string[]> {
  const lines: string[] = [];
  for (let cuts = 0; ; cuts += 1) {
    const position =
      format === 'http' ? { from: lines.length } : lines.length > 0 ? { lastEventId: lines.length - 1 } : {};
    const viewer = await attach(format, streamId, position);
    if (cuts < CUTS) {
      const enough = random(12);
      const isOver = (): boolean => viewer.lines.length >= enough || viewer.incoming.closed;
      if (!isOver()) await viewer.until(isOver);
      viewer.cut();
    }
    await viewer.closed();
    lines.push(...viewer.lines);
    const last = lines.at(-1);
    if (last !== undefined && isTerminal(JSON.parse(last) as Chunk)) return lines;
    if (viewer.status === 204 || (cuts > CUTS && viewer.lines.length === 0)) {
      throw new Error(`${format} ended at ${lines.length} without the end`);
    }
  }
}

/** Reads on sockets that are cut at random, and fills what it missed by `stream:recover`. */
async function readSocket(conversationId: string, streamId: string): Promise<string[]> {
  const chunks: Chunk[] = [];
  const take = (chunk: Chunk): void => {
    if (chunk.sequence === chunks.length) chunks.push(chunk);
  };
  const isOver = (): boolean => chunks.some(isTerminal);
  for (let cuts = 0; !isOver(); cuts += 1) {
    const client = await patiently(() => TestClient.connect(server.url, 'alice'));
    const wanted = cuts < CUTS ? chunks.length + random(12) : Infinity;
    const reached = new Promise<void>((resolve) => {
      client.socket.on('stream:chunk', (chunk: Chunk) => {
        if (chunk.streamId === streamId) held.push(chunk);
        if (chunk.streamId === streamId && (chunk.sequence >= wanted || isTerminal(chunk))) resolve();
      });
    });
    // What is heard while the missed is being fetched comes behind it.
    const held: Chunk[] = [];
    await patiently(() => client.ask('conversation:join', { conversationId }));
    for (let done = false, next = chunks.length; !done;) {
      const page = await patiently(() => client.ask('stream:recover', { streamId, fromSequence: next }));
      page.chunks.forEach(take);
      next = page.nextSequence;
      done = page.done || page.chunks.length === 0;
    }
    if (!isOver() && chunks.length <= wanted) await reached;
    held.forEach(take);
    client.terminate();
  }
  return chunks.map((chunk) => JSON.stringify(chunk));
}

test('200 answers, each with three viewers on three transports that are cut at random: every viewer has the log’s text, hash included (P4)', async () => {
  const conversations: string[] = [];
  while (conversations.length < STREAMS) {
    conversations.push(await user.conversation(`cuts-${conversations.length}`));
  }
  const streams = await Promise.all(conversations.map(ask));
  const read = await Promise.all(
    streams.map(({ conversationId, streamId }) =>
      Promise.all([
        readHttp('sse', streamId),
        readHttp('http', streamId),
        readSocket(conversationId, streamId),
      ]),
    ),
  );
  const logged = await withClient(server.databaseUrl, async (client) => {
    const { rows } = await client.query<{ stream_id: string; text: string }>(
      `select stream_id, string_agg(content, '' order by sequence) as text from stream_chunks where type = 'content' group by 1`,
    );
    return new Map(rows.map(({ stream_id: id, text }) => [id, text]));
  });
  for (const [index, viewers] of read.entries()) {
    for (const lines of viewers) {
      const text = answerOf(lines.map((line) => JSON.parse(line) as Chunk));
      expect(text).toBe(wordsText(WORDS));
      expect(text).toBe(logged.get(streams[index]?.streamId ?? ''));
      expect(lines).toEqual(viewers[0]);
    }
  }
}, 180_000);
