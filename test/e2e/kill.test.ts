import { afterEach, expect, test } from 'vitest';
import type { Message } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { startServer, type TestServer } from '../support/server.js';

let server: TestServer | undefined;

afterEach(async () => {
  await server?.stop();
});

const send = { conversationId: 'kill', content: 'Is it kept?', respond: false };

// Each start of the service takes seconds on a loaded machine.
test('Killed right after an ack, many times: every acked message is there once, a repeat is a duplicate (P1, P2)', async () => {
  server = await startServer();
  const acked = new Map<string, Message>();
  for (let round = 0; round < 2; round += 1) {
    const alice = await TestClient.connect(server.url, 'alice');
    await alice.ask('conversation:join', { conversationId: 'kill' });
    const sends = Array.from({ length: 50 }, async (_, n) => {
      const clientMessageId = `r${round}-${n}`;
      const { message } = await alice.ask('message:send', { ...send, clientMessageId, metadata: { n } });
      acked.set(clientMessageId, message);
    });
    // Most of the others are under way when the process dies.
    await Promise.race(sends);
    await server.kill();
    alice.close();
    void Promise.allSettled(sends);
    server = await server.restart();
  }
  const alice = await TestClient.connect(server.url, 'alice');
  const { messages, hasMore } = await alice.ask('message:history', {
    conversationId: 'kill',
    afterSeq: 0,
    limit: 200,
  });
  expect(hasMore).toBe(false);
  expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, n) => n + 1));
  expect(new Set(messages.map(({ clientMessageId }) => clientMessageId)).size).toBe(messages.length);
  expect(acked.size).toBeGreaterThanOrEqual(2);
  for (const [clientMessageId, message] of acked) {
    expect(JSON.stringify(messages[message.seq - 1])).toBe(JSON.stringify(message));
    const repeat = await alice.ask('message:send', { ...send, clientMessageId, content: 'Another content.' });
    expect(JSON.stringify(repeat)).toBe(JSON.stringify({ ok: true, message, duplicate: true }));
  }
  const next = await alice.ask('message:send', { ...send, clientMessageId: 'next' });
  expect(next.message.seq).toBe(messages.length + 1);
  alice.close();
}, 90_000);

test('A question acked with a streamId: after the kill a repeat gives the same stream, and starts none (P2)', async () => {
  server = await startServer({ env: { GUIDE_WORDS_PER_SECOND: '5' } });
  const alice = await TestClient.connect(server.url, 'alice');
  await alice.ask('conversation:join', { conversationId: 'kill' });
  const question = { ...send, clientMessageId: 'q', content: 'What is a stream?', respond: true };
  const first = await alice.ask('message:send', question);
  await server.kill();
  alice.close();
  server = await server.restart();
  const again = await TestClient.connect(server.url, 'alice');
  const joined = await again.ask('conversation:join', { conversationId: 'kill', afterSeq: 0 });
  expect(joined.messages).toEqual([first.message]);
  expect(joined.activeStreams.map(({ streamId }) => streamId)).toEqual([first.streamId]);
  expect(await again.ask('message:send', question)).toEqual({ ...first, duplicate: true });
  expect(await again.ask('stream:cancel', { streamId: first.streamId as string })).toMatchObject({
    status: 'cancelled',
  });
  again.close();
}, 90_000);
