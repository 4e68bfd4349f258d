import { execFileSync } from 'node:child_process';
import { connect, type Socket as TcpSocket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WireError } from '../../src/protocol/index.js';
import { isTerminal } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, type TestServer } from '../support/server.js';
import { answerOf, HttpUser } from '../support/stream-readers.js';

const MIB = 1024 * 1024;
const SLOW = 'words:60:30';

let llm: LlmServer;
let server: TestServer;
let alice: HttpUser;

beforeAll(async () => {
  llm = await startLlmServer();
  server = await startServer({
    env: {
      ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: SLOW },
      ...{ VIEWER_MAX_BUFFERED_BYTES: '262144', RATE_LIMIT_STREAMS: '1000/60', STREAM_MAX_PER_USER: '100' },
      // What is kept without bound ends the process.
      NODE_OPTIONS: '--max-old-space-size=160',
      ...{ MAX_CONNECTIONS_PER_USER: '1000', RATE_LIMIT_ENABLED: 'false' },
    },
  });
  alice = await HttpUser.of(server.url, 'alice');
});

afterAll(async () => {
  await server?.stop();
  await llm?.close();
});

/** Bytes of memory that the server holds. */
function residentBytes(): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(server.pid)], { encoding: 'utf8' })) * 1024;
}

/** An answer of so many MiB of text; `meanwhile` is called when it has begun. */
async function largeAnswer(
  mebibytes: number,
  meanwhile: (streamId: string) => Promise<void> = async () => {},
): Promise<{ streamId: string; text: string }> {
  const conversationId = await alice.conversation(`large-${mebibytes}`);
  llm.script(`large:16384:${mebibytes * 64}`);
  const viewer = await alice.ask('http', { conversationId, message: 'Go', chunkSize: 16_384 });
  await meanwhile(viewer.streamId);
  await viewer.closed();
  return { streamId: viewer.streamId, text: answerOf(viewer.chunks) };
}

/** The TCP connection below a WebSocket client. */
function tcpOf(client: TestClient): TcpSocket {
  const { transport } = client.socket.io.engine as unknown as { transport: { ws: { _socket: TcpSocket } } };
  return transport.ws._socket;
}

test('a socket that asks without reading is closed as slow_consumer and comes back; a hundred others notice nothing (P7)', async () => {
  const large = await largeAnswer(1);
  const conversationId = await alice.conversation('hundred');
  const readers: TestClient[] = [];
  while (readers.length < 100) {
    const reader = await TestClient.connect(server.url, 'alice');
    await reader.ask('conversation:join', { conversationId });
    readers.push(reader);
  }
  const stuck = await TestClient.connect(server.url, 'alice', { reconnection: true });
  const connectionId = stuck.socket.id;
  const before = residentBytes();
  tcpOf(stuck).pause();
  // 50 MiB of answers, if somebody kept them.
  for (let count = 0; count < 200; count += 1) {
    stuck.socket.emit('stream:recover', { streamId: large.streamId, fromSequence: 0 }, () => {});
  }
  const { body } = await alice.json<{ streamId: string }>(
    'POST',
    `/api/conversations/${conversationId}/messages`,
    {
      ...{ clientMessageId: 'q', content: 'All together' },
    },
  );
  await Promise.all(readers.map((reader) => reader.waitFor('stream:chunk', isTerminal)));
  for (const reader of readers) expect(answerOf(reader.all('stream:chunk'))).toBe(wordsText(60));
  expect(body.streamId).toBe(readers[0]?.all('stream:chunk')[0]?.streamId);
  const closing = new Promise<WireError>((resolve) => stuck.socket.once('connection:closing', resolve));
  const lost = new Promise<string>((resolve) => stuck.socket.once('disconnect', resolve));
  const back = new Promise<void>((resolve) => stuck.socket.io.once('reconnect', () => resolve()));
  tcpOf(stuck).resume();
  expect(await lost).toBe('transport close');
  await expect(Promise.race([closing, back])).resolves.toSatisfy(
    (error?: WireError) => error === undefined || error.code === 'slow_consumer',
  );
  await back;
  expect(stuck.socket.id).not.toBe(connectionId);
  const again = await stuck.ask('stream:recover', { streamId: large.streamId, fromSequence: 0 });
  expect(again.chunks.length).toBeGreaterThan(0);
  expect(residentBytes() - before).toBeLessThan(200 * MIB);
  for (const client of [...readers, stuck]) client.close();
}, 90_000);

test('SSE viewers that never read hold no more than their bound, next to one that does; when they read, they get it all (P7)', async () => {
  const STUCK = 40;
  const sockets: TcpSocket[] = [];
  const { hostname, port } = new URL(server.url);
  let before = 0;
  // 10 MiB for each of them, if somebody kept them.
  const answer = await largeAnswer(10, async (streamId) => {
    before = residentBytes();
    for (let count = 0; count < STUCK; count += 1) {
      const socket = connect(Number(port), hostname);
      socket.pause();
      const authorization = `Authorization: Bearer ${alice.token}`;
      socket.write(
        `GET /api/ws/stream/${streamId}/sse HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${authorization}\r\n\r\n`,
      );
      sockets.push(socket);
    }
  });
  expect(residentBytes() - before).toBeLessThan(200 * MIB);
  const [first, ...others] = sockets as [TcpSocket, ...TcpSocket[]];
  for (const socket of others) socket.destroy();
  let text = '';
  for await (const part of first.setEncoding('utf8')) text += part as string;
  const chunks = [...text.matchAll(/^data: (.+)$/gm)].map(([, json]) => JSON.parse(json ?? '') as never);
  expect(answerOf(chunks)).toBe(answer.text);
}, 90_000);
