import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Message } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { http } from '../support/http.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, type TestServer } from '../support/server.js';
import { HttpUser } from '../support/stream-readers.js';

const MIB = 1024 * 1024;
const BYTES = 3 * MIB;

let llm: LlmServer;
let server: TestServer;

beforeAll(async () => {
  llm = await startLlmServer();
  // At a pace that also long polling on a busy machine keeps up with.
  const provider = { LLM_BASE_URL: llm.baseUrl, LLM_MODEL: `large:16384:${BYTES / 16_384}:10` };
  server = await startServer({ env: { ...provider, RATE_LIMIT_ENABLED: 'false' } });
});

afterAll(async () => {
  await server.stop();
  await llm.close();
});

test('an answer of 3 MiB reaches every reader that reads, live, in a join, a page and the queue, and disconnects none', async () => {
  const conversationId = 'large';
  const asker = await HttpUser.of(server.url, 'asker');
  await http(server.url, 'POST /api/conversations', { userId: 'asker', body: { id: conversationId } });
  for (const userId of ['wes', 'pol', 'que']) {
    await http(server.url, `PUT /api/conversations/${conversationId}/members/${userId}`, { userId: 'asker' });
  }
  const live = [
    await TestClient.connect(server.url, 'wes', { acks: true }),
    await TestClient.connect(server.url, 'wes'),
    await TestClient.connect(server.url, 'pol', { acks: true, transports: ['polling'] }),
  ];
  const queued = await TestClient.connect(server.url, 'que', { acks: true });
  queued.socket.on('queue:deliver', (_batch: unknown, ack: () => void) => ack());
  for (const reader of live) await reader.ask('conversation:join', { conversationId });
  const viewer = await asker.ask('http', { conversationId, message: 'Go', chunkSize: 16_384 });
  await viewer.closed();
  // Right after the large packet, so that it waits for it.
  const after = Array.from({ length: 20 }, (_, n) => ({
    clientMessageId: `a${n}`,
    content: `after ${n}`,
    respond: false,
  }));
  const sends = after.map((body) =>
    http(server.url, `POST /api/conversations/${conversationId}/messages`, { userId: 'asker', body }),
  );
  const isLast = ({ content }: Message): boolean => content === 'after 19';
  const isAnswer = ({ content }: Message): boolean => content.length === BYTES;
  await Promise.all(sends);
  for (const reader of live) {
    await reader.waitFor('message:new', isLast);
    expect(reader.all('message:new').filter(isAnswer)).toHaveLength(1);
    const { messages } = await reader.ask('message:history', { conversationId, afterSeq: 1, limit: 1 });
    const joined = await reader.ask('conversation:join', { conversationId, afterSeq: 1 });
    expect([messages.filter(isAnswer).length, joined.messages.filter(isAnswer).length]).toEqual([1, 1]);
  }
  await queued.waitFor('queue:deliver', ({ items }) => items.some((item) => isLast(item.message as Message)));
  for (const client of [...live, queued]) {
    expect([client.socket.connected, client.all('connection:closing')]).toEqual([true, []]);
    client.close();
  }
}, 90_000);
