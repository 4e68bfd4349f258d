import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TestClient, tokenFor } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http.js';
import { startLlmServer } from '../support/llm-server.js';
import { startServer } from '../support/server.js';
import { expectWholeStream } from '../support/streams.js';

const HOUR_MS = 3_600_000;
const CLOCK = join(import.meta.dirname, '../support/jumping-clock.mjs');
const CONVERSATION = 'clock';
const BREAKER_OPEN_MS = 2000;

// They mostly wait, so they do it together.
test.concurrent.each([
  ['back', -HOUR_MS],
  ['forward', HOUR_MS],
])(
  'The machine’s clock is set an hour %s: no user goes offline or stays online wrongly, no wait is longer, no answer is affected (P5, P9)',
  async (_direction, jumpMs) => {
    const llm = await startLlmServer();
    const server = await startServer({
      env: {
        ...{ NODE_OPTIONS: `--import=${CLOCK}`, CLOCK_JUMP_MS: String(jumpMs) },
        ...{ TYPING_TIMEOUT_MS: '2000', PRESENCE_LEAVE_GRACE_MS: '2000', GUIDE_WORDS_PER_SECOND: '40' },
        CONNECTION_IDLE_TIMEOUT_MS: '600000',
        ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:3', PROVIDER_RETRIES: '0' },
        ...{ PROVIDER_BREAKER_FAILURES: '1', PROVIDER_BREAKER_OPEN_MS: String(BREAKER_OPEN_MS) },
      },
    });
    const [ann, bob, cem] = (await Promise.all(
      ['ann', 'bob', 'cem'].map(async (userId) => {
        const client = await TestClient.connect(server.url, userId, {
          token: await tokenFor(userId, {}, '1d'),
        });
        await client.ask('conversation:join', { conversationId: CONVERSATION, access: 'link' });
        return client;
      }),
    )) as [TestClient, TestClient, TestClient];
    const ask = (provider?: string) =>
      ann.ask('message:send', {
        ...{ conversationId: CONVERSATION, clientMessageId: crypto.randomUUID() },
        ...{ content: 'How do I use my own PostgreSQL?', ...(provider !== undefined && { provider }) },
      });

    const { streamId } = await ask('guide');
    await bob.waitFor('stream:chunk', ({ sequence }) => sequence === 2);
    llm.script('status:503');
    const failed = await ask();
    await bob.waitFor(
      'stream:chunk',
      (chunk) => chunk.streamId === failed.streamId && chunk.type === 'error',
    );
    const openedAt = performance.now();
    await ann.ask('typing:start', { conversationId: CONVERSATION });
    await bob.waitFor('typing:update', ({ isTyping }) => isTyping);
    cem.close();
    process.kill(server.pid, 'SIGUSR2');

    await bob.waitFor('typing:update', ({ isTyping }) => !isTyping);
    await bob.waitFor('presence:update', ({ userId, status }) => userId === 'cem' && status === 'offline');
    await eventually(() => performance.now() - openedAt > BREAKER_OPEN_MS, 'the breaker may try again');
    const { streamId: tried } = await ask();
    await bob.waitFor('message:new', (message) => message.streamId === tried);
    expectWholeStream(bob, tried as string);
    await bob.waitFor('message:new', (message) => message.streamId === streamId);
    expectWholeStream(bob, streamId as string);
    const gone = bob.all('presence:update').filter(({ status }) => status === 'offline');
    expect(gone.map(({ userId }) => userId)).toEqual(['cem']);
    const connections = await http(server.url, 'GET /api/ws/connections/ann', { userId: 'ann' });
    expect(((await connections.json()) as { items: unknown[] }).items).toHaveLength(1);
    expect([ann.socket.connected, bob.socket.connected]).toEqual([true, true]);
    for (const client of [ann, bob]) client.close();
    expect(await server.stop()).toBe(0);
    await llm.close();
  },
);
