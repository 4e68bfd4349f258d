import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestClient } from '../support/client.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});

afterAll(async () => {
  await stopCleanly(server);
});

test('A question is acked with its seq, answered by the guide chunk by chunk, and remembered (P1, P4, P5).', async () => {
  const alice = await TestClient.connect(server.url, 'alice', { name: 'Alice' });
  const joined = await alice.ask('conversation:join', { conversationId: 'chat-1' });
  expect(joined).toMatchObject({ lastSeq: 0, messages: [], activeStreams: [] });
  const sent = await alice.ask('message:send', {
    conversationId: 'chat-1',
    clientMessageId: 'q1',
    content: 'How do I use my own PostgreSQL?',
  });
  expect(sent).toMatchObject({ duplicate: false, message: { seq: 1, senderId: 'alice', role: 'user' } });
  const answer = await alice.waitFor('message:new', ({ role }) => role === 'assistant');
  expect(answer.content).toContain('DATABASE_URL');
  const chunks = alice.all('stream:chunk');
  expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_, index) => index));
  expect(chunks.at(-1)).toMatchObject({ type: 'complete', metadata: { messageId: answer.id, seq: 2 } });
  alice.close();
});
