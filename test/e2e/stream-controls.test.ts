import { readFileSync } from 'node:fs';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { TestClient, type RefusedError } from '../support/client.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { connectedClient, untilBlocked } from '../support/locks.js';
import { startServer, type TestServer } from '../support/server.js';
import { readLog, storedStreams, waitForStreams } from '../support/stream-log.js';
import { expectWholeChunks, expectWholeStream } from '../support/streams.js';

// Starting processes takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const MIB = 1024 * 1024;
const MODELS = ['words:60:20', 'endless:4096', 'stall:none', 'stall:3', 'words:2000:5', 'cut:3'];

let server: TestServer;
let llm: LlmServer;
let rooms = 0;

const env = (): Record<string, string> => ({
  ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:20', LLM_MODELS: MODELS.join(',') },
  ...{ STREAM_CHUNK_DELAY_MS: '10', STREAM_MAX_PER_USER: '1000', RATE_LIMIT_ENABLED: 'false' },
});

beforeAll(async () => {
  llm = await startLlmServer();
  server = await startServer({ env: env() });
});

afterAll(async () => {
  await server.stop();
  await llm.close();
});

interface Asked {
  client: TestClient;
  conversationId: string;
  streamId: string;
  /** Index of its request at the provider. */
  request: number;
}

/** Asks `model` in a conversation of its own. */
async function ask(model: string, fields: object = {}, at: TestServer = server): Promise<Asked> {
  rooms += 1;
  const conversationId = `controls-${rooms}`;
  const request = llm.requests.length;
  const client = await TestClient.connect(at.url, 'alice');
  await client.ask('conversation:join', { conversationId, access: 'link' });
  const question = { conversationId, clientMessageId: 'q', content: 'Why?', model, ...fields };
  const { streamId } = await client.ask('message:send', question);
  return { client, conversationId, streamId: streamId as string, request };
}

function chunk(client: TestClient, atLeast: number) {
  return client.waitFor('stream:chunk', ({ sequence }) => sequence >= atLeast);
}

/** Resident memory of a process, in bytes. */
function memoryOf(pid: number): number {
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) * 1024;
}

/** Does `work` when the owner has written everything and is about to end the stream. */
async function beforeTheEnd(
  conversationId: string,
  work: (database: Client) => Promise<unknown>,
): Promise<void> {
  const database = await connectedClient(server.databaseUrl);
  try {
    // The end needs this lock; appends do not.
    await database.query('begin');
    await database.query('select 1 from conversations where id = $1 for no key update', [conversationId]);
    await untilBlocked(server.databaseUrl, 1);
    await work(database);
    await database.query('commit');
  } finally {
    await database.end();
  }
}

describe('Pause (P6)', () => {
  test('stops the log at its lastSequence for all, and resume goes on exactly', async () => {
    const { client, streamId, conversationId } = await ask('words:60:20');
    const bob = await TestClient.connect(server.url, 'bob');
    await bob.ask('conversation:join', { conversationId });
    await chunk(client, 5);
    const { status, lastSequence } = await client.ask('stream:pause', { streamId });
    const paused = { status, lastSequence };
    expect(status).toBe('paused');
    for (const viewer of [client, bob]) {
      const change = await viewer.waitFor('stream:status', ({ status }) => status === 'paused');
      expect(change).toEqual({ streamId, ...paused, reason: 'user' });
    }
    expect(await client.ask('stream:pause', { streamId })).toMatchObject(paused);
    // Several words of the provider later.
    await llm.waitForClose(llm.requests.length - 1);
    expect(await readLog(server.databaseUrl, streamId)).toHaveLength(paused.lastSequence + 1);
    expect(client.all('stream:chunk').every(({ sequence }) => sequence <= paused.lastSequence)).toBe(true);
    expect(await storedStreams(server.databaseUrl, [streamId])).toMatchObject([{ status: 'paused' }]);
    const resumed = await client.ask('stream:resume', { streamId });
    expect(resumed).toMatchObject({ status: 'streaming', lastSequence });
    await client.waitFor('message:new', ({ role }) => role === 'assistant');
    const { terminal } = expectWholeStream(client, streamId);
    expect(terminal).toMatchObject({ type: 'complete', metadata: { usage: { source: 'provider' } } });
    for (const event of ['stream:pause', 'stream:resume'] as const) {
      await expect(client.ask(event, { streamId })).rejects.toMatchObject({
        error: { code: 'stream_ended' },
      });
    }
    client.close();
    bob.close();
  });

  test('does not read a provider that never stops beyond what fits, and the memory stays flat (P7)', async () => {
    const { client, streamId, request } = await ask('endless:4096');
    await chunk(client, 20);
    const paused = await client.ask('stream:pause', { streamId });
    const quiet = await llm.waitForQuiet(request, 1000);
    const written = quiet.bytesWritten;
    const memory = memoryOf(server.pid);
    const later = await TestClient.connect(server.url, 'alice');
    for (let n = 0; n < 200; n += 1) await later.ask('ping', n);
    await llm.waitForQuiet(request, 3000);
    expect(quiet.bytesWritten).toBe(written);
    expect(memoryOf(server.pid) - memory).toBeLessThan(32 * MIB);
    expect(await readLog(server.databaseUrl, streamId)).toHaveLength(paused.lastSequence + 1);
    await client.ask('stream:resume', { streamId });
    await expect.poll(() => quiet.bytesWritten, { timeout: 10_000 }).toBeGreaterThan(written);
    await client.ask('stream:cancel', { streamId });
    await llm.waitForClose(request);
    expectWholeChunks(await readLog(server.databaseUrl, streamId));
    client.close();
    later.close();
  });

  test('of an answer that is starting: it starts again, and chunk 0 comes once', async () => {
    const { client, streamId, request } = await ask('stall:3');
    const paused = await client.ask('stream:pause', { streamId });
    expect(paused.lastSequence).toBeLessThanOrEqual(3);
    const resumed = await client.ask('stream:resume', { streamId });
    expect(resumed.status).toBe(paused.lastSequence > 0 ? 'streaming' : 'starting');
    await chunk(client, 1);
    await client.ask('stream:cancel', { streamId });
    await llm.waitForClose(request);
    expectWholeChunks(await readLog(server.databaseUrl, streamId));
    client.close();
  });

  test('is ended by STREAM_MAX_PAUSE_MS, with the text so far and the reason; a resume restarts the time', async () => {
    const other = await startServer({ env: { ...env(), STREAM_MAX_PAUSE_MS: '1500' } });
    const { client, streamId, request } = await ask('stall:3', {}, other);
    await chunk(client, 1);
    await client.ask('stream:pause', { streamId });
    await client.ask('stream:resume', { streamId });
    const { lastSequence } = await client.ask('stream:pause', { streamId });
    const end = await client.waitFor('stream:status', ({ status }) => status === 'cancelled');
    expect(end).toEqual({
      streamId,
      status: 'cancelled',
      lastSequence: lastSequence + 1,
      reason: 'pause_timeout',
    });
    await llm.waitForClose(request);
    const { terminal } = expectWholeChunks(await readLog(other.databaseUrl, streamId));
    expect(terminal).toMatchObject({ type: 'cancelled', metadata: { reason: 'pause_timeout' } });
    await expect(client.ask('stream:resume', { streamId })).rejects.toMatchObject({
      error: { code: 'stream_ended' },
    });
    client.close();
    expect(await other.stop()).toBe(0);
  });

  test('against the end, in the moment before it: the answer ends after the resume, and not before', async () => {
    const { client, streamId, conversationId } = await ask('words:60:20');
    await chunk(client, 5);
    await beforeTheEnd(conversationId, (database) => database.query('select pause_stream($1)', [streamId]));
    const { lastSequence } = await client.ask('stream:pause', { streamId });
    expect(await readLog(server.databaseUrl, streamId)).toHaveLength(lastSequence + 1);
    expect(await storedStreams(server.databaseUrl, [streamId])).toMatchObject([{ status: 'paused' }]);
    await client.ask('stream:resume', { streamId });
    await client.waitFor('message:new', ({ role }) => role === 'assistant');
    expect(expectWholeStream(client, streamId).text).toBe(wordsText(60));
    client.close();
  });

  test('has nothing to do with what PostgreSQL loses in the moment before the end: that is written again first (P4)', async () => {
    const { client, streamId, conversationId } = await ask('words:60:20');
    await chunk(client, 5);
    await beforeTheEnd(conversationId, async (database) => {
      await database.query('update streams set last_sequence = last_sequence - 3 where id = $1', [streamId]);
      const { rowCount } = await database.query(
        `delete from stream_chunks where stream_id = $1
           and sequence > (select last_sequence from streams where id = $1)`,
        [streamId],
      );
      expect(rowCount).toBe(3);
    });
    await client.waitFor('message:new', ({ role }) => role === 'assistant');
    const { chunks, text } = expectWholeStream(client, streamId);
    expect(text).toBe(wordsText(60));
    expect(await readLog(server.databaseUrl, streamId)).toEqual(chunks);
    client.close();
  });

  test('and resume are for the asker, the owner and admins; others learn what they may', async () => {
    const { client, streamId, conversationId } = await ask('stall:3');
    const bob = await TestClient.connect(server.url, 'bob');
    const eve = await TestClient.connect(server.url, 'eve');
    const admin = await TestClient.connect(server.url, 'root', { roles: ['admin'] });
    await bob.ask('conversation:join', { conversationId });
    for (const event of ['stream:pause', 'stream:resume', 'stream:cancel'] as const) {
      await expect(bob.ask(event, { streamId })).rejects.toMatchObject({ error: { code: 'forbidden' } });
      await expect(eve.ask(event, { streamId })).rejects.toMatchObject({ error: { code: 'not_found' } });
    }
    expect((await admin.ask('stream:pause', { streamId })).status).toBe('paused');
    expect((await admin.ask('stream:cancel', { streamId })).status).toBe('cancelled');
    for (const { socket } of [client, bob, eve, admin]) socket.disconnect();
  });
});

describe('Cancel (P6)', () => {
  test('before the first delta: chunk 0 and the end, no message; twice is once', async () => {
    const { client, streamId, request } = await ask('stall:none');
    const [first, second] = await Promise.all([
      client.ask('stream:cancel', { streamId }),
      client.ask('stream:cancel', { streamId }),
    ]);
    expect(second).toEqual(first);
    await client.waitFor('stream:status', ({ status }) => status === 'cancelled');
    const { text, terminal } = expectWholeChunks(await readLog(server.databaseUrl, streamId));
    expect(text).toBe('');
    expect(terminal).toMatchObject({ type: 'cancelled', metadata: { reason: 'user' } });
    if (llm.requests.length > request) await llm.waitForClose(request);
    client.close();
  });

  test('against pause and resume, all at once: it is cancelled, whatever came before it', async () => {
    const asked = await Promise.all(Array.from({ length: 20 }, () => ask('words:2000:5')));
    await Promise.all(
      asked.map(async ({ client, streamId }, n) => {
        await chunk(client, 1 + n);
        const settled = await Promise.allSettled([
          client.ask('stream:pause', { streamId }),
          client.ask('stream:resume', { streamId }),
          client.ask('stream:cancel', { streamId }),
        ]);
        expect(settled[2]).toMatchObject({ status: 'fulfilled', value: { status: 'cancelled' } });
        const { lastSequence } = (settled[2] as PromiseFulfilledResult<{ lastSequence: number }>).value;
        const log = await readLog(server.databaseUrl, streamId);
        expect(log).toHaveLength(lastSequence + 1);
        expectWholeChunks(log);
        client.close();
      }),
    );
    await expect.poll(() => llm.openConnections(), { timeout: 10_000 }).toBe(0);
  });

  test('of an answer that is not shown: only its message, marked', async () => {
    const { client, streamId, request } = await ask('words:2000:5', { stream: false });
    await waitForStreams(server.databaseUrl, [streamId], ({ last_sequence }) => last_sequence > 2);
    await client.ask('stream:pause', { streamId });
    await client.ask('stream:resume', { streamId });
    await client.ask('stream:cancel', { streamId });
    const message = await client.waitFor('message:new', ({ role }) => role === 'assistant');
    expect(message.metadata).toEqual({ finish: 'cancelled' });
    expect(client.heard.filter(({ event }) => event.startsWith('stream:'))).toEqual([]);
    await llm.waitForClose(request);
    client.close();
  });

  test('closes the provider’s connection soon: 200 of them, one after the other', async () => {
    const tookMs: number[] = [];
    const { client, conversationId } = await ask('words:20');
    for (let n = 0; n < 200; n += 1) {
      const request = llm.requests.length;
      const question = { conversationId, clientMessageId: `c${n}`, content: 'Why?', model: 'stall:3' };
      const { streamId } = await client.ask('message:send', question);
      await client.waitFor('stream:chunk', (seen) => seen.streamId === streamId && seen.sequence === 1);
      const asked = performance.now();
      await client.ask('stream:cancel', { streamId: streamId as string });
      const { closedAt = Infinity } = await llm.waitForClose(request);
      tookMs.push(closedAt - asked);
    }
    tookMs.sort((a, b) => a - b);
    const at = (share: number): number => Math.round(tookMs[Math.ceil(tookMs.length * share) - 1] as number);
    console.log(`cancel to closed connection: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`);
    expect(at(0.5)).toBeLessThan(250);
    client.close();
  });
});

test('STREAM_TIMEOUT_MS ends an answer with the reason, its text kept, and closes the provider', async () => {
  const other = await startServer({ env: { ...env(), STREAM_TIMEOUT_MS: '1000' } });
  const { client, streamId, request } = await ask('stall:3', {}, other);
  const end = await client.waitFor('stream:status', ({ status }) => status === 'cancelled');
  expect(end.reason).toBe('timeout');
  await llm.waitForClose(request);
  const { text, terminal } = expectWholeChunks(await readLog(other.databaseUrl, streamId));
  expect(text).toBe('The quick brown ');
  expect(terminal.metadata.reason).toBe('timeout');
  client.close();
  expect(await other.stop()).toBe(0);
});

test('After STREAM_RETENTION_MS the chunks are gone, and the message is there', async () => {
  const other = await startServer({ env: { ...env(), STREAM_RETENTION_MS: '1000' } });
  const { client, streamId, conversationId } = await ask('words:20', {}, other);
  await client.waitFor('message:new', ({ role }) => role === 'assistant');
  await expect
    .poll(async () => (await readLog(other.databaseUrl, streamId)).length, { timeout: 20_000 })
    .toBe(0);
  const { messages } = await client.ask('message:history', { conversationId });
  expect(messages).toHaveLength(2);
  await expect(client.ask('stream:cancel', { streamId })).rejects.toMatchObject({
    error: { code: 'stream_ended' },
  });
  client.close();
  expect(await other.stop()).toBe(0);
});

interface Storm {
  streamIds: string[];
  /** Codes of what was refused. */
  refused: string[];
}

/** Asks at once in `count` conversations. */
async function storm(at: TestServer, userId: string, count: number): Promise<Storm> {
  const client = await TestClient.connect(at.url, userId);
  const ids = Array.from({ length: count }, () => `limits-${(rooms += 1)}`);
  await Promise.all(ids.map((conversationId) => client.ask('conversation:join', { conversationId })));
  const question = { clientMessageId: 'q', content: 'Why?' };
  const sent = await Promise.allSettled(
    ids.map((conversationId) => client.ask('message:send', { conversationId, ...question })),
  );
  client.close();
  const streamIds = sent.flatMap((answer) =>
    answer.status === 'fulfilled' ? [answer.value.streamId as string] : [],
  );
  const refused = sent.flatMap((answer) =>
    answer.status === 'rejected' ? [(answer.reason as RefusedError).error.code] : [],
  );
  return { streamIds, refused };
}

test('STREAM_MAX_PER_USER and STREAM_MAX_CONCURRENT hold to the last slot, over many conversations and two processes', async () => {
  const limits = { STREAM_MAX_PER_USER: '7', STREAM_MAX_CONCURRENT: '10', SHUTDOWN_GRACE_MS: '1000' };
  const stalling = { ...env(), ...limits, LLM_MODEL: 'stall:1' };
  const first = await startServer({ env: stalling });
  const second = await startServer({ env: stalling, databaseUrl: first.databaseUrl });
  const both = await Promise.all([storm(first, 'alice', 30), storm(second, 'alice', 30)]);
  const alices = both.flatMap(({ streamIds }) => streamIds);
  expect(alices).toHaveLength(7);
  expect(new Set(both.flatMap(({ refused }) => refused))).toEqual(new Set(['too_many_streams']));
  const more = await Promise.all(['b', 'c', 'd', 'e', 'f', 'g'].map((user) => storm(first, user, 5)));
  const others = more.flatMap(({ streamIds }) => streamIds);
  const running = await storedStreams(first.databaseUrl, [...alices, ...others]);
  const owners = new Map<string | null, number>();
  for (const { owner_node: owner } of running) owners.set(owner, (owners.get(owner) ?? 0) + 1);
  expect(Math.max(...owners.values())).toBe(10);
  const admin = await TestClient.connect(first.url, 'root', { roles: ['admin'] });
  for (const streamId of [...alices, ...others]) await admin.ask('stream:cancel', { streamId });
  expect((await storm(first, 'alice', 20)).streamIds).toHaveLength(7);
  admin.close();
  await second.stop();
  await first.stop();
});

describe.each(['process', 'machine', 'memory'])('STREAM_DURABILITY=%s', (durability) => {
  test('viewers see what is in the log, byte for byte, also of a chunk that came before its commit (P4)', async () => {
    const other = await startServer({ env: { ...env(), STREAM_DURABILITY: durability } });
    const { client, streamId } = await ask('words:60:20', {}, other);
    await chunk(client, 5);
    await client.ask('stream:pause', { streamId });
    await client.ask('stream:resume', { streamId });
    await client.waitFor('message:new', ({ role }) => role === 'assistant');
    const { chunks } = expectWholeStream(client, streamId);
    expect(chunks).toEqual(await readLog(other.databaseUrl, streamId));
    client.close();
    expect(await other.stop()).toBe(0);
  });
});
