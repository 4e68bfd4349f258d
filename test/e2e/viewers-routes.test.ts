import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Chunk, Problem, RecoverResult, StreamState } from '../../src/protocol/index.js';
import { isTerminal } from '../../src/protocol/index.js';
import { TestClient, tokenFor } from '../support/client.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, type TestServer } from '../support/server.js';
import { answerOf, HttpUser, type StreamResponse } from '../support/stream-readers.js';

const SHORT = 'words:30';
const SLOW = 'words:60:15';
const SILENT = 'stall:0';
const LONG = 'words:200';
const STUCK = 'stall:5';
const FAILING = 'error:3';
const NOBODY = '0197a0c2-6c1e-7d0a-9a36-2f1f0f6d0c11';

let llm: LlmServer;
let server: TestServer;
let alice: HttpUser;
let conversations = 0;

beforeAll(async () => {
  llm = await startLlmServer();
  server = await startServer({
    env: {
      ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: SHORT },
      LLM_MODELS: [SLOW, LONG, SILENT, STUCK, FAILING].join(','),
      ...{
        STREAM_HEARTBEAT_MS: '150',
        RATE_LIMIT_STREAMS: '1000/60',
        STREAM_MAX_PER_USER: '100',
        STREAM_CHUNK_DELAY_MS: '5',
      },
    },
  });
  alice = await HttpUser.of(server.url, 'alice');
});

afterAll(async () => {
  await server?.stop();
  await llm?.close();
});

function conversation(user = alice): Promise<string> {
  conversations += 1;
  return user.conversation(`viewers-${conversations}`);
}

/** Asks a question of its own in a conversation of its own. */
async function ask(format: 'sse' | 'http', options: object = {}): Promise<StreamResponse> {
  return alice.ask(format, { conversationId: await conversation(), message: 'Well?', ...options });
}

test('A user may have MAX_CONNECTIONS_PER_USER responses that read answers; one more is refused and asks nothing (P7)', async () => {
  const conversationId = await conversation();
  const first = await alice.ask('sse', { conversationId, message: 'Well?', model: STUCK });
  const { streamId } = first;
  const others = await Promise.all(Array.from({ length: 19 }, () => alice.attach('http', streamId)));
  expect(others.map(({ status }) => status)).toEqual(others.map(() => 200));
  const again = { conversationId, message: 'Another?', clientMessageId: 'another', model: SHORT };
  for (const refused of [await alice.attach('sse', streamId), await alice.ask('sse', again)]) {
    await refused.closed();
    expect([refused.status, problemOf(refused)]).toMatchObject([
      503,
      { code: 'too_many_connections', retryable: false },
    ]);
  }
  for (const other of others) other.cut();
  await expect.poll(async () => (await alice.ask('http', again)).status).toBe(200);
  first.cut();
});

function problemOf(response: StreamResponse): Problem {
  expect(response.incoming.headers['content-type']).toContain('application/problem+json');
  return JSON.parse(response.text) as Problem;
}

async function refusal(opened: Promise<StreamResponse>): Promise<Problem> {
  const response = await opened;
  await response.closed();
  return problemOf(response);
}

describe('asking over HTTP', () => {
  test('SSE has an id, an event and the chunk for each chunk, a retry once, and ends after the terminal chunk', async () => {
    const viewer = await ask('sse');
    expect(viewer.status).toBe(200);
    expect(viewer.incoming.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    await viewer.closed();
    expect(viewer.ended).toBe(true);
    expect(answerOf(viewer.chunks)).toBe(wordsText(30));
    expect(viewer.ids).toEqual(viewer.chunks.map(({ sequence }) => String(sequence)));
    expect(viewer.events).toEqual(viewer.chunks.map(({ type }) => type));
    expect(viewer.text.startsWith(':')).toBe(true);
    expect(viewer.text.match(/^retry: 2000$/gm)).toHaveLength(1);
    expect(viewer.chunks[0]).toMatchObject({ type: 'metadata', streamId: viewer.streamId });
  });

  test('NDJSON has one chunk a line, a heartbeat first, and is never compressed', async () => {
    const viewer = await alice.ask(
      'http',
      { conversationId: await conversation(), message: 'Well?', clientMessageId: 'q1', metadata: { a: 1 } },
      { 'accept-encoding': 'gzip, br' },
    );
    expect(viewer.incoming.headers).toMatchObject({ 'content-type': 'application/x-ndjson; charset=utf-8' });
    expect(viewer.incoming.headers['content-encoding']).toBeUndefined();
    await viewer.closed();
    expect(viewer.text).toMatch(/^\{"type":"heartbeat","timestamp":"[^"]+"\}\n/);
    expect(answerOf(viewer.chunks)).toBe(wordsText(30));
    const state = await alice.json<StreamState>('GET', `/api/ws/stream/${viewer.streamId}/status`);
    expect(state.body).toMatchObject({
      status: 'completed',
      transport: 'http',
      replyTo: { clientMessageId: 'q1' },
    });
  });

  test('a repeat of clientMessageId asks nothing: it shows the answer of the first, from Last-Event-ID on (P2)', async () => {
    const body = { conversationId: await conversation(), message: 'Once', clientMessageId: 'once' };
    const first = await alice.ask('sse', body);
    await first.closed();
    const again = await alice.ask('http', { ...body, message: 'Twice' });
    await again.closed();
    expect(again.streamId).toBe(first.streamId);
    expect(again.lines).toEqual(first.lines);
    const rest = await alice.ask('sse', body, { 'last-event-id': '3' });
    await rest.closed();
    expect(rest.lines).toEqual(first.lines.slice(4));
    const { body: page } = await alice.json('GET', `/api/conversations/${body.conversationId}/messages`);
    expect(page).toMatchObject({ messages: [{ content: 'Once' }, { role: 'assistant' }] });
  });

  test('chunkSize and chunkDelayMs are of this answer alone', async () => {
    const tiny = await ask('http', { chunkSize: 4, chunkDelayMs: 5000 });
    await tiny.closed();
    const sizes = tiny.chunks.filter(({ type }) => type === 'content').map(({ content }) => content.length);
    expect(Math.max(...sizes.slice(1))).toBeLessThanOrEqual(4);
    expect(answerOf(tiny.chunks)).toBe(wordsText(30));
  });

  test('the first byte comes at once and heartbeats go on while the provider is silent', async () => {
    for (const format of ['sse', 'http'] as const) {
      const viewer = await ask(format, { model: SILENT });
      const beats = (): number => viewer.text.match(/heartbeat/g)?.length ?? 0;
      await viewer.until(() => beats() >= 3);
      // Chunk 0 says who answers, and nobody does yet.
      expect(viewer.chunks).toEqual([]);
      viewer.cut();
      await alice.json('POST', `/api/ws/stream/${viewer.streamId}/cancel`);
    }
  });

  test('errors before the first byte are problem bodies', async () => {
    const conversationId = await conversation();
    expect(await refusal(alice.ask('sse', { conversationId }))).toMatchObject({ code: 'invalid_payload' });
    const misspelt = { conversationId, message: 'x', clientMesageId: 'y' };
    expect(await refusal(alice.ask('http', misspelt))).toMatchObject({
      code: 'invalid_payload',
      status: 400,
    });
    expect(await refusal(alice.ask('sse', { conversationId, message: 'x', model: 'none' }))).toMatchObject({
      code: 'invalid_payload',
    });
    expect(await refusal(alice.ask('sse', { conversationId, message: 'x', chunkSize: 0 }))).toMatchObject({
      code: 'invalid_payload',
    });
    expect(await refusal(alice.ask('sse', { conversationId: 'nowhere', message: 'x' }))).toMatchObject({
      code: 'not_found',
    });
    await alice.json('POST', `/api/conversations/${conversationId}/messages`, {
      ...{ clientMessageId: 'no-answer', content: 'x', respond: false },
    });
    const unanswered = { conversationId, message: 'x', clientMessageId: 'no-answer' };
    expect(await refusal(alice.ask('sse', unanswered))).toMatchObject({ code: 'conflict' });
  });

  test('an error chunk is the event failure, since error is about the connection', async () => {
    const viewer = await ask('sse', { model: FAILING });
    await viewer.closed();
    expect(viewer.events.at(-1)).toBe('failure');
    expect(viewer.chunks.at(-1)).toMatchObject({
      type: 'error',
      metadata: { error: { code: 'provider_error' } },
    });
  });

  test('leaving is not cancelling: an answer without viewers goes on (P6)', async () => {
    const viewer = await ask('sse', { model: SLOW });
    await viewer.until(() => viewer.lines.length > 3);
    viewer.cut();
    const whole = await alice.attach('http', viewer.streamId);
    await whole.closed();
    expect(answerOf(whole.chunks)).toBe(wordsText(60));
  });
});

describe('attaching', () => {
  test('a chunk is the same bytes on the socket, on SSE, on NDJSON, replayed and recovered (P4)', async () => {
    const conversationId = await conversation();
    const socket = await TestClient.connect(server.url, 'alice');
    const frames: string[] = [];
    socket.socket.io.engine.on('packet', ({ data }: { data?: string }) => {
      const PREFIX = '2["stream:chunk",';
      if (data?.startsWith(PREFIX)) frames.push(data.slice(PREFIX.length, -1));
    });
    await socket.ask('conversation:join', { conversationId });
    const sse = await alice.ask('sse', { conversationId, message: 'Bytes?', model: SLOW });
    const ndjson = await alice.attach('http', sse.streamId);
    await Promise.all([sse.closed(), ndjson.closed(), socket.waitFor('stream:chunk', isTerminal)]);
    const replayed = await alice.attach('sse', sse.streamId);
    await replayed.closed();
    expect(answerOf(sse.chunks)).toBe(wordsText(60));
    expect(ndjson.lines).toEqual(sse.lines);
    expect(replayed.lines).toEqual(sse.lines);
    expect(frames).toEqual(sse.lines);
    const recovered = await socket.ask('stream:recover', { streamId: sse.streamId, fromSequence: 0 });
    expect(recovered.chunks.map((chunk) => JSON.stringify(chunk))).toEqual(sse.lines);
    socket.close();
  });

  test('Last-Event-ID is exclusive and wins over fromSequence, which is inclusive; without both it is from 0', async () => {
    const { streamId, lines } = await finished();
    const read = async (...[format, options]: Parameters<typeof from>): Promise<string[]> => {
      const viewer = await from(format, options);
      await viewer.closed();
      return viewer.lines;
    };
    const from = (format: 'sse' | 'http', options: Parameters<HttpUser['attach']>[2]) =>
      alice.attach(format, streamId, options);
    for (const format of ['sse', 'http'] as const) {
      expect(await read(format, {})).toEqual(lines);
      expect(await read(format, { from: 2 })).toEqual(lines.slice(2));
      expect(await read(format, { lastEventId: 2 })).toEqual(lines.slice(3));
      expect(await read(format, { lastEventId: 4, from: 1 })).toEqual(lines.slice(5));
      expect(await read(format, { from: lines.length - 1 })).toEqual(lines.slice(-1));
    }
  });

  test('after the terminal chunk SSE is 204, which stops an EventSource, and NDJSON is empty', async () => {
    const { streamId, lines } = await finished();
    for (const position of [{ from: lines.length }, { lastEventId: lines.length - 1 }]) {
      const sse = await alice.attach('sse', streamId, position);
      const ndjson = await alice.attach('http', streamId, position);
      await Promise.all([sse.closed(), ndjson.closed()]);
      expect([sse.status, sse.text]).toEqual([204, '']);
      expect([ndjson.status, ndjson.text, ndjson.streamId]).toEqual([200, '', streamId]);
    }
  });

  test('a position that is no number, or beyond what can come next, is invalid_payload', async () => {
    const { streamId, lines } = await finished();
    const positions = [
      ...[
        { from: 'x' },
        { from: '-1' },
        { from: '1.5' },
        { from: '' },
        { from: '1e3' },
        { lastEventId: 'abc' },
      ],
      ...[{ from: lines.length + 1 }, { lastEventId: lines.length }, { from: '99999999999999999999' }],
    ];
    for (const position of positions) {
      for (const format of ['sse', 'http'] as const) {
        expect(await refusal(alice.attach(format, streamId, position))).toMatchObject({
          code: 'invalid_payload',
        });
      }
    }
    expect(await refusal(alice.attach('sse', 'no-uuid'))).toMatchObject({ code: 'invalid_payload' });
  });

  test('a viewer may go from transport to transport in the middle and has every chunk once', async () => {
    const lines: string[] = [];
    let viewer = await ask('sse', { model: SLOW });
    for (const format of ['http', 'sse', 'http'] as const) {
      const current = viewer;
      await current.until(() => current.lines.length >= 4);
      current.cut();
      lines.push(...current.lines);
      viewer = await alice.attach(
        format,
        current.streamId,
        format === 'http' ? { from: lines.length } : { lastEventId: lines.length - 1 },
      );
    }
    const last = viewer;
    await last.closed();
    lines.push(...last.lines);
    expect(answerOf(lines.map((line) => JSON.parse(line) as Chunk))).toBe(wordsText(60));
  });

  test('a user who is not a member learns nothing: foreign and missing are both not_found, on every route (P10)', async () => {
    const { streamId } = await finished();
    const mallory = await HttpUser.of(server.url, 'mallory');
    for (const id of [streamId, NOBODY]) {
      for (const format of ['sse', 'http'] as const) {
        expect(await refusal(mallory.attach(format, id))).toMatchObject({ code: 'not_found' });
      }
      for (const route of ['pause', 'resume', 'cancel', 'recover']) {
        const { body } = await mallory.json('POST', `/api/ws/stream/${id}/${route}`);
        expect(body).toMatchObject({ code: 'not_found' });
      }
      expect((await mallory.json('GET', `/api/ws/stream/${id}/status`)).body).toMatchObject({
        code: 'not_found',
      });
    }
    const anonymous = await fetch(`${server.url}/api/ws/stream/${streamId}/sse`);
    expect(anonymous.status).toBe(401);
  });

  test('a removed member’s viewers end without a terminal chunk, and cannot come back (P10)', async () => {
    const conversationId = await conversation();
    await alice.json('PUT', `/api/conversations/${conversationId}/members/bob`);
    const bob = await HttpUser.of(server.url, 'bob');
    const mine = await alice.ask('sse', { conversationId, message: 'Wait', model: STUCK });
    const theirs = await Promise.all([bob.attach('sse', mine.streamId), bob.attach('http', mine.streamId)]);
    await Promise.all(theirs.map((viewer) => viewer.until(() => viewer.lines.length > 1)));
    await alice.json('DELETE', `/api/conversations/${conversationId}/members/bob`);
    await Promise.all(theirs.map((viewer) => viewer.closed()));
    for (const viewer of theirs)
      expect([viewer.ended, viewer.chunks.some(isTerminal)]).toEqual([false, false]);
    expect(await refusal(bob.attach('sse', mine.streamId))).toMatchObject({ code: 'not_found' });
    expect(mine.ended).toBe(false);
    await alice.json('POST', `/api/ws/stream/${mine.streamId}/cancel`);
    await mine.closed();
    expect(mine.chunks.at(-1)?.type).toBe('cancelled');
  });

  test('an EventSource of the eventsource package reads an answer and stops at its end', async () => {
    const { streamId, lines } = await finished();
    const token = await tokenFor('alice');
    const heard: string[] = [];
    const statuses: number[] = [];
    const source = new EventSource(`${server.url}/api/ws/stream/${streamId}/sse`, {
      fetch: async (input, init) => {
        const response = await fetch(input, {
          ...init,
          headers: { ...init.headers, Authorization: `Bearer ${token}` },
        });
        statuses.push(response.status);
        return response;
      },
    });
    const types = new Set(lines.map((line) => (JSON.parse(line) as Chunk).type));
    for (const type of types) source.addEventListener(type, ({ data }) => heard.push(String(data)));
    // The server ends the response behind the last chunk; EventSource comes back once and is told that there is no more.
    await new Promise<void>((resolve) => {
      source.addEventListener('error', () => source.readyState === EventSource.CLOSED && resolve());
    });
    expect(heard).toEqual(lines);
    expect(statuses).toEqual([200, 204]);
  });

  test('HEAD says what GET would, and does not stay', async () => {
    const viewer = await ask('sse', { model: STUCK });
    const response = await fetch(`${server.url}/api/ws/stream/${viewer.streamId}/sse`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${alice.token}` },
    });
    expect(response.headers.get('x-stream-id')).toBe(viewer.streamId);
    await alice.json('POST', `/api/ws/stream/${viewer.streamId}/cancel`);
  });
});

describe('recovering', () => {
  test('the route gives pages, where to go on, and where to attach; the socket gives the same', async () => {
    const { streamId, lines } = await finished();
    const { body } = await alice.json<RecoverResult>(
      'POST',
      `/api/ws/stream/${streamId}/recover?fromSequence=3`,
    );
    expect(body.chunks.map((chunk) => JSON.stringify(chunk))).toEqual(lines.slice(3));
    expect(body).toMatchObject({
      ...{ nextSequence: lines.length, done: true, stream: { streamId, status: 'completed' } },
      attach: {
        sse: `/api/ws/stream/${streamId}/sse?fromSequence=${lines.length}`,
        http: `/api/ws/stream/${streamId}/http?fromSequence=${lines.length}`,
      },
    });
    const socket = await TestClient.connect(server.url, 'alice');
    const { attach: _, ...answer } = body as RecoverResult & { attach: object };
    expect(await socket.ask('stream:recover', { streamId, fromSequence: 3 })).toEqual({
      ok: true,
      ...answer,
    });
    await expect(socket.ask('stream:recover', { streamId, fromSequence: lines.length + 1 })).rejects.toThrow(
      'invalid_payload',
    );
    const none = await socket.ask('stream:recover', { streamId, fromSequence: lines.length });
    expect(none).toMatchObject({ chunks: [], nextSequence: lines.length, done: true });
    socket.close();
  });

  test('a long log comes in pages of at most 500 chunks, and one that runs is not done', async () => {
    const viewer = await ask('http', { model: LONG, chunkSize: 1, chunkDelayMs: 0 });
    await viewer.closed();
    const pages: Chunk[][] = [];
    for (let next = 0, done = false; !done;) {
      const route = `/api/ws/stream/${viewer.streamId}/recover?fromSequence=${next}`;
      const { body } = await alice.json<RecoverResult>('POST', route);
      pages.push(body.chunks);
      next = body.nextSequence;
      done = body.done;
    }
    expect(pages.length).toBe(Math.ceil(viewer.lines.length / 500));
    expect(pages.slice(0, -1).every(({ length }) => length === 500)).toBe(true);
    expect(answerOf(pages.flat())).toBe(wordsText(200));
    const stuck = await ask('sse', { model: STUCK });
    await stuck.until(() => stuck.lines.length > 1);
    const { body } = await alice.json<RecoverResult>('POST', `/api/ws/stream/${stuck.streamId}/recover`);
    expect(body).toMatchObject({ done: false, stream: { status: 'streaming' } });
    expect(body.nextSequence).toBe(body.chunks.length);
    await alice.json('POST', `/api/ws/stream/${stuck.streamId}/cancel`);
  });

  test('where recovery is turned off it is forbidden, by socket and route; reading a stream is not', async () => {
    const closed = await startServer({ env: { STREAM_RECOVERY_ENABLED: 'false' } });
    try {
      const user = await HttpUser.of(closed.url, 'alice');
      const viewer = await user.ask('http', {
        conversationId: await user.conversation('c'),
        message: 'Hello',
      });
      await viewer.closed();
      const { streamId } = viewer;
      const { body } = await user.json('POST', `/api/ws/stream/${streamId}/recover`);
      expect(body).toMatchObject({
        code: 'forbidden',
        detail: expect.stringContaining('turned off') as string,
      });
      const socket = await TestClient.connect(closed.url, 'alice');
      await expect(socket.ask('stream:recover', { streamId, fromSequence: 0 })).rejects.toThrow('forbidden');
      socket.close();
      const again = await user.attach('sse', streamId);
      await again.closed();
      expect(again.lines).toEqual(viewer.lines);
    } finally {
      await closed.stop();
    }
  });
});

describe('operating', () => {
  test('active and metrics are for admins', async () => {
    const admin = await HttpUser.of(server.url, 'root', { roles: ['admin'] });
    const viewer = await ask('sse', { model: STUCK });
    await viewer.until(() => viewer.lines.length > 1);
    for (const route of ['active', 'metrics']) {
      expect((await alice.json('GET', `/api/ws/stream/${route}`)).body).toMatchObject({ code: 'forbidden' });
    }
    const { body: active } = await admin.json<{ items: StreamState[]; nextCursor?: string }>(
      'GET',
      '/api/ws/stream/active?limit=200',
    );
    expect(active.items.map(({ streamId }) => streamId)).toContain(viewer.streamId);
    const { body: metrics } = await admin.json('GET', '/api/ws/stream/metrics');
    expect(metrics).toMatchObject({ viewers: { sse: 1, http: 0 } });
    expect(metrics['replayedChunks']).toBeGreaterThan(0);
    for (const time of ['duration', 'timeToFirstChunk', 'timeBetweenChunks', 'chunkDelivery']) {
      expect(metrics[time]).toMatchObject({
        count: expect.any(Number) as number,
        p50Ms: expect.any(Number) as number,
      });
    }
    const { streams } = metrics as unknown as { streams: Record<string, number> };
    for (const end of ['completed', 'cancelled', 'failed']) expect(streams[end]).toBeGreaterThan(0);
    expect(streams['started']).toMatchObject({ websocket: 0, sse: expect.any(Number) as number });
    viewer.cut();
    await alice.json('POST', `/api/ws/stream/${viewer.streamId}/cancel`);
  });
});

/** A finished answer and its chunks as JSON. */
async function finished(): Promise<{ streamId: string; lines: string[] }> {
  const viewer = await ask('http');
  await viewer.closed();
  return { streamId: viewer.streamId, lines: viewer.lines };
}
