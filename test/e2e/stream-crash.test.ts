import { beforeAll, describe, expect, test, vi, type OnTestFinishedHandler } from 'vitest';
import type { Chunk, TerminalMetadata } from '../../src/protocol/index.js';
import { newId } from '../../src/common/ids.js';
import { TestClient } from '../support/client.js';
import { createTestDatabase } from '../support/database.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, type TestServer } from '../support/server.js';
import {
  hasEnded,
  readLog,
  storedStreams,
  waitForStreams,
  type StoredStream,
} from '../support/stream-log.js';
import { expectWholeChunks } from '../support/streams.js';
import { withClient } from '../support/with-client.js';

// Starting processes takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const QUESTION = 'How do I use my own PostgreSQL?';
const QUICK = { STREAM_LEASE_MS: '1000', STREAM_MAX_PER_USER: '1000', RATE_LIMIT_ENABLED: 'false' };

/** Where one test plays: what it begins ends with it. */
class Scene {
  constructor(private readonly defer: (undo: OnTestFinishedHandler) => void) {}

  async begin(env: Record<string, string>, databaseUrl?: string): Promise<TestServer> {
    const server = await startServer({ env: { ...QUICK, ...env }, ...(databaseUrl && { databaseUrl }) });
    this.defer(async () => void (await server.stop()));
    return server;
  }

  async sharedDatabase(): Promise<string> {
    const database = await createTestDatabase();
    this.defer(() => database.drop());
    return database.url;
  }

  async beginLlm(): Promise<LlmServer> {
    const llm = await startLlmServer();
    this.defer(() => llm.close());
    return llm;
  }

  /** Kills the server and starts its successor. */
  async crash(server: TestServer): Promise<TestServer> {
    await server.kill();
    const next = await server.restart();
    this.defer(async () => void (await next.stop()));
    return next;
  }

  async connect(server: TestServer): Promise<TestClient> {
    const client = await TestClient.connect(server.url, 'alice');
    this.defer(() => client.close());
    return client;
  }
}

/** Asks in a conversation of its own; gives the stream's id. */
async function ask(client: TestClient, conversationId: string, fields: object = {}): Promise<string> {
  await client.ask('conversation:join', { conversationId });
  const question = { conversationId, clientMessageId: 'q', content: QUESTION, ...fields };
  return (await client.ask('message:send', question)).streamId as string;
}

/** What the guide says to the question when nothing disturbs it. */
let guideText: string;
beforeAll(async () => {
  const server = await startServer();
  const client = await TestClient.connect(server.url, 'alice');
  await ask(client, 'undisturbed');
  guideText = (await client.waitFor('message:new', ({ role }) => role === 'assistant')).content;
  client.close();
  await server.stop();
});

const isUnderWay = ({ last_sequence }: StoredStream): boolean => last_sequence >= 5;
const terminalOf = (chunks: readonly Chunk[]): TerminalMetadata =>
  chunks.at(-1)?.metadata as unknown as TerminalMetadata;

/** Every chunk that was seen is in the log as it was seen (P4). */
function expectSeenIsLogged(viewers: readonly TestClient[], log: readonly Chunk[]): void {
  for (const viewer of viewers) {
    for (const chunk of viewer.all('stream:chunk').filter(({ streamId }) => streamId === log[0]?.streamId)) {
      expect(log[chunk.sequence]).toEqual(chunk);
    }
  }
}

describe.concurrent('kill -9', () => {
  test('in the middle of 50 answers: each is continued from its last chunk and ends once, as if nothing had been (P4, P5)', async ({
    onTestFinished,
  }) => {
    const scene = new Scene(onTestFinished);
    const server = await scene.begin({ GUIDE_WORDS_PER_SECOND: '40', STREAM_DURABILITY: 'process' });
    const before = await scene.connect(server);
    const ids = await Promise.all(Array.from({ length: 50 }, (_, n) => ask(before, `crash-${n}`)));
    await waitForStreams(server.databaseUrl, ids, isUnderWay);
    const next = await scene.crash(server);
    const after = await scene.connect(next);
    await Promise.all(ids.map((_, n) => after.ask('conversation:join', { conversationId: `crash-${n}` })));
    const rows = await waitForStreams(server.databaseUrl, ids, hasEnded);
    expect(rows.every(({ status, recoveries }) => status === 'completed' && recoveries === 1)).toBe(true);
    for (const id of ids) {
      const log = await readLog(server.databaseUrl, id);
      const seen = expectWholeChunks(log);
      expect(seen.text).toBe(guideText);
      expect(log.filter(({ type }) => type === 'metadata')).toHaveLength(1);
      expectSeenIsLogged([before, after], log);
    }
    expect(before.all('stream:chunk').length).toBeGreaterThan(50 * 5);
    const messages = await after.ask('message:history', { conversationId: 'crash-7', afterSeq: 0 });
    expect(messages.messages.map(({ role, content }) => [role, content])).toEqual([
      ['user', QUESTION],
      ['assistant', guideText],
    ]);
  });

  test('of an answer that a model gives and cannot continue: it is ended with an error, and its text is kept (P5)', async ({
    onTestFinished,
  }) => {
    const scene = new Scene(onTestFinished);
    const llm = await scene.beginLlm();
    const server = await scene.begin({
      LLM_BASE_URL: llm.baseUrl,
      LLM_MODEL: 'stall:10',
      STREAM_CHUNK_DELAY_MS: '0',
    });
    const client = await scene.connect(server);
    const id = await ask(client, 'model-1');
    await waitForStreams(server.databaseUrl, [id], isUnderWay);
    const next = await scene.crash(server);
    const [row] = await waitForStreams(server.databaseUrl, [id], hasEnded);
    expect(row).toMatchObject({ status: 'failed', interruptions: 1 });
    const log = await readLog(server.databaseUrl, id);
    const { text, terminal } = expectWholeChunks(log);
    expect(wordsText(10).startsWith(text) && text !== '').toBe(true);
    expect(terminal).toMatchObject({
      type: 'error',
      metadata: { error: { code: 'internal', retryable: true } },
    });
    const { messages } = await (
      await scene.connect(next)
    ).ask('message:history', { conversationId: 'model-1' });
    expect(messages.at(-1)).toMatchObject({ content: text, metadata: { finish: 'error' } });
    expect(llm.requests).toHaveLength(1);
  });

  test('of an answer of which nothing was written: it begins anew, with any provider', async ({
    onTestFinished,
  }) => {
    const scene = new Scene(onTestFinished);
    const llm = await scene.beginLlm();
    const server = await scene.begin({ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:10' });
    llm.script('stall:none');
    const id = await ask(await scene.connect(server), 'model-2');
    await llm.waitForRequest(0);
    expect(await storedStreams(server.databaseUrl, [id])).toMatchObject([{ last_sequence: -1 }]);
    await scene.crash(server);
    await waitForStreams(server.databaseUrl, [id], ({ status }) => status === 'completed');
    const { text, terminal } = expectWholeChunks(await readLog(server.databaseUrl, id));
    expect(text).toBe(wordsText(10));
    expect(terminal.metadata.usage.source).toBe('provider');
  });

  test('of an answer that the fallback began: the fallback continues it exactly, and it stays one that says so', async ({
    onTestFinished,
  }) => {
    const scene = new Scene(onTestFinished);
    const llm = await scene.beginLlm();
    const server = await scene.begin({
      ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:10', GUIDE_WORDS_PER_SECOND: '40' },
      ...{ PROVIDER_FALLBACK: 'guide', PROVIDER_RETRIES: '0' },
    });
    llm.script('status:503');
    const client = await scene.connect(server);
    const id = await ask(client, 'fallback');
    await waitForStreams(server.databaseUrl, [id], isUnderWay);
    await scene.crash(server);
    await waitForStreams(server.databaseUrl, [id], ({ status }) => status === 'completed');
    const log = expectWholeChunks(await readLog(server.databaseUrl, id));
    expect(log.text).toBe(guideText);
    expect(log.chunks[0]?.metadata).toMatchObject({ provider: 'guide', model: 'guide', usedFallback: true });
    expect(llm.requests).toHaveLength(1);
  });

  test('with LLM_CONTINUE: the model receives its own beginning and continues after it', async ({
    onTestFinished,
  }) => {
    const scene = new Scene(onTestFinished);
    const llm = await scene.beginLlm();
    const server = await scene.begin({
      LLM_BASE_URL: llm.baseUrl,
      LLM_MODEL: 'stall:10',
      STREAM_CHUNK_DELAY_MS: '0',
      LLM_CONTINUE: 'true',
    });
    const id = await ask(await scene.connect(server), 'model-3');
    await waitForStreams(server.databaseUrl, [id], isUnderWay);
    llm.script('say:and goes on.');
    await scene.crash(server);
    await waitForStreams(server.databaseUrl, [id], ({ status }) => status === 'completed');
    const log = await readLog(server.databaseUrl, id);
    const { text } = expectWholeChunks(log);
    const given = llm.requests[1]?.body.messages.map(({ role, content }) => [role, content]);
    const begun = text.slice(0, -'and goes on.'.length);
    expect(wordsText(10).startsWith(begun) && begun !== '').toBe(true);
    expect(given).toEqual([
      ['user', QUESTION],
      // Some servers refuse a last message that ends in white space.
      ['assistant', begun.trimEnd()],
    ]);
    expect(text).toBe(`${begun}and goes on.`);
    // The model reported the usage of its second part only.
    expect(terminalOf(log).usage.source).toBe('estimated');
  });

  test('again and again: after STREAM_MAX_CONTINUATIONS it is ended, its text kept', async ({
    onTestFinished,
  }) => {
    const scene = new Scene(onTestFinished);
    const env = { GUIDE_WORDS_PER_SECOND: '20', STREAM_MAX_CONTINUATIONS: '1', STREAM_CHUNK_DELAY_MS: '20' };
    const first = await scene.begin(env);
    const id = await ask(await scene.connect(first), 'again');
    await waitForStreams(first.databaseUrl, [id], isUnderWay);
    const second = await scene.crash(first);
    await waitForStreams(
      first.databaseUrl,
      [id],
      ({ epoch, last_sequence }) => epoch === 3 && last_sequence > 20,
    );
    await scene.crash(second);
    const [row] = await waitForStreams(first.databaseUrl, [id], hasEnded);
    expect(row).toMatchObject({ status: 'failed', interruptions: 2 });
    expectWholeChunks(await readLog(first.databaseUrl, id));
  });

  test('with STREAM_CONTINUE=false: it is ended with an error', async ({ onTestFinished }) => {
    const scene = new Scene(onTestFinished);
    const server = await scene.begin({ GUIDE_WORDS_PER_SECOND: '20', STREAM_CONTINUE: 'false' });
    const id = await ask(await scene.connect(server), 'ended');
    await waitForStreams(server.databaseUrl, [id], isUnderWay);
    await scene.crash(server);
    expect(await waitForStreams(server.databaseUrl, [id], hasEnded)).toMatchObject([{ status: 'failed' }]);
    expectWholeChunks(await readLog(server.databaseUrl, id));
  });

  test('of an answer that is not shown (stream: false): it is continued, and still only its message is sent', async ({
    onTestFinished,
  }) => {
    const scene = new Scene(onTestFinished);
    const server = await scene.begin({ GUIDE_WORDS_PER_SECOND: '40' });
    const before = await scene.connect(server);
    const id = await ask(before, 'hidden', { stream: false });
    await waitForStreams(server.databaseUrl, [id], isUnderWay);
    const next = await scene.crash(server);
    const after = await scene.connect(next);
    const joined = await after.ask('conversation:join', { conversationId: 'hidden' });
    expect(joined.activeStreams).toEqual([]);
    const message = await after.waitFor('message:new', ({ role }) => role === 'assistant');
    expect(message.metadata).toEqual({ finish: 'complete' });
    for (const { heard } of [before, after])
      expect(heard.filter(({ event }) => event.startsWith('stream:'))).toEqual([]);
  });

  test('of a paused answer: it stays paused, and its resume continues it exactly', async ({
    onTestFinished,
  }) => {
    const scene = new Scene(onTestFinished);
    const server = await scene.begin({ GUIDE_WORDS_PER_SECOND: '40' });
    const id = await ask(await scene.connect(server), 'paused');
    await waitForStreams(server.databaseUrl, [id], isUnderWay);
    const before = await scene.connect(server);
    const paused = await before.ask('stream:pause', { streamId: id });
    const next = await scene.crash(server);
    await waitForStreams(server.databaseUrl, [id], ({ owner_node }) => owner_node === null);
    const after = await scene.connect(next);
    expect(await after.ask('stream:pause', { streamId: id })).toEqual(paused);
    await after.ask('conversation:join', { conversationId: 'paused' });
    const resumed = await after.ask('stream:resume', { streamId: id });
    expect(resumed).toMatchObject({ status: 'streaming', lastSequence: paused.lastSequence });
    await waitForStreams(server.databaseUrl, [id], ({ status }) => status === 'completed');
    expect(expectWholeChunks(await readLog(server.databaseUrl, id)).text).toBe(guideText);
  });

  test('the answers that are continued take their slots, and give them back', async ({ onTestFinished }) => {
    const scene = new Scene(onTestFinished);
    const server = await scene.begin({ GUIDE_WORDS_PER_SECOND: '40', STREAM_MAX_CONCURRENT: '2' });
    const client = await scene.connect(server);
    const ids = await Promise.all([ask(client, 'slots-1'), ask(client, 'slots-2')]);
    await waitForStreams(server.databaseUrl, ids, isUnderWay);
    const next = await scene.crash(server);
    await waitForStreams(server.databaseUrl, ids, ({ recoveries }) => recoveries === 1);
    const after = await scene.connect(next);
    await expect(ask(after, 'slots-3')).rejects.toMatchObject({ error: { code: 'too_many_streams' } });
    await waitForStreams(server.databaseUrl, ids, ({ status }) => status === 'completed');
    const last = await Promise.all([ask(after, 'slots-4'), ask(after, 'slots-5')]);
    await waitForStreams(server.databaseUrl, last, ({ status }) => status === 'completed');
  });
});

test.concurrent(
  'PostgreSQL crashed and lost the log’s end: the owner writes it again, as it was seen',
  async ({ onTestFinished }) => {
    const scene = new Scene(onTestFinished);
    const server = await scene.begin({ GUIDE_WORDS_PER_SECOND: '40', STREAM_CHUNK_DELAY_MS: '20' });
    const client = await scene.connect(server);
    const id = await ask(client, 'lost');
    await client.waitFor('stream:chunk', ({ sequence }) => sequence >= 8);
    await withClient(server.databaseUrl, async (database) => {
      await database.query('begin');
      await database.query('update streams set last_sequence = last_sequence - 5 where id = $1', [id]);
      const { rowCount } = await database.query(
        `delete from stream_chunks where stream_id = $1
         and sequence > (select last_sequence from streams where id = $1)`,
        [id],
      );
      expect(rowCount).toBe(5);
      await database.query('commit');
    });
    await client.waitFor('message:new', ({ role }) => role === 'assistant');
    const log = await readLog(server.databaseUrl, id);
    expectWholeChunks(log);
    expect(client.all('stream:chunk')).toEqual(log);
  },
);

test.concurrent(
  'An answer that its living owner does not produce is found, and produced',
  async ({ onTestFinished }) => {
    const scene = new Scene(onTestFinished);
    const server = await scene.begin({});
    const client = await scene.connect(server);
    await ask(client, 'orphan', { respond: false });
    const id = newId();
    await withClient(server.databaseUrl, (database) =>
      database.query(
        `insert into streams (id, conversation_id, message_id, reply_to, user_id, provider, model, transport, options,
         owner_node, started_at)
       select $1, 'orphan', $1, '{"seq":1}', 'alice', 'guide', 'guide', 'websocket',
         '{"visible":true,"includeContext":true,"chunkBytes":1024,"chunkDelayMs":50}', n.id, now() from nodes n`,
        [id],
      ),
    );
    const message = await client.waitFor('message:new', ({ role }) => role === 'assistant');
    expect(message.content).toBe(guideText);
    expectWholeChunks(await readLog(server.databaseUrl, id));
  },
);

describe.concurrent('Two processes on one database', () => {
  test('the owner is stopped past its lease and wakes: its late appends are refused, the log has no fork (P4, P5)', async ({
    onTestFinished,
  }) => {
    const scene = new Scene(onTestFinished);
    const databaseUrl = await scene.sharedDatabase();
    const env = { GUIDE_WORDS_PER_SECOND: '30', STREAM_CHUNK_DELAY_MS: '20' };
    const owner = await scene.begin(env, databaseUrl);
    const other = await scene.begin(env, databaseUrl);
    const client = await scene.connect(owner);
    const ids = await Promise.all(Array.from({ length: 10 }, (_, n) => ask(client, `stopped-${n}`)));
    await waitForStreams(databaseUrl, ids, isUnderWay);
    process.kill(owner.pid, 'SIGSTOP');
    try {
      await waitForStreams(databaseUrl, ids, ({ recoveries }) => recoveries === 1);
    } finally {
      process.kill(owner.pid, 'SIGCONT');
    }
    const rows = await waitForStreams(databaseUrl, ids, hasEnded);
    expect(
      rows.every(
        ({ status, recoveries, epoch }) => status === 'completed' && recoveries === 1 && epoch === 3,
      ),
    ).toBe(true);
    // It has noticed: it answers, owns none of them, and can begin new ones.
    const again = await ask(client, 'woken');
    await client.waitFor('message:new', ({ streamId }) => streamId === again);
    const viewer = await scene.connect(other);
    for (const id of ids) {
      const log = await readLog(databaseUrl, id);
      expect(expectWholeChunks(log).text).toBe(guideText);
      expectSeenIsLogged([client, viewer], log);
    }
    expect(owner.output()).not.toContain('could not be ended');
  });

  test('on SIGTERM one hands over, and the other goes on at once, without waiting for a lease (P12)', async ({
    onTestFinished,
  }) => {
    const scene = new Scene(onTestFinished);
    const databaseUrl = await scene.sharedDatabase();
    // Nobody would take over for ten minutes if the lease had to run out.
    const env = { GUIDE_WORDS_PER_SECOND: '20', STREAM_LEASE_MS: '600000', SHUTDOWN_GRACE_MS: '60000' };
    const owner = await scene.begin(env, databaseUrl);
    await scene.begin(env, databaseUrl);
    const client = await scene.connect(owner);
    const ids = await Promise.all(Array.from({ length: 5 }, (_, n) => ask(client, `left-${n}`)));
    await waitForStreams(databaseUrl, ids, isUnderWay);
    const paused = ids[0] as string;
    await client.ask('stream:pause', { streamId: paused });
    expect(await owner.stop()).toBe(0);
    const left = await storedStreams(databaseUrl, ids);
    // It did not wait for the answers' own end.
    expect(left.filter(hasEnded)).toEqual([]);
    const others = ids.filter((id) => id !== paused);
    await waitForStreams(databaseUrl, others, ({ status }) => status === 'completed');
    for (const id of others) {
      const log = await readLog(databaseUrl, id);
      expect(expectWholeChunks(log).text).toBe(guideText);
      expectSeenIsLogged([client], log);
    }
    expect(await storedStreams(databaseUrl, [paused])).toMatchObject([
      { status: 'paused', owner_node: null },
    ]);
  });

  test('on SIGTERM an answer that no other process can continue gets time to end', async ({
    onTestFinished,
  }) => {
    const scene = new Scene(onTestFinished);
    const llm = await scene.beginLlm();
    const databaseUrl = await scene.sharedDatabase();
    const env = { LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:40:25', STREAM_LEASE_MS: '600000' };
    const owner = await scene.begin(env, databaseUrl);
    const id = await ask(await scene.connect(owner), 'waits');
    await waitForStreams(databaseUrl, [id], isUnderWay);
    expect(await owner.stop()).toBe(0);
    expect(await storedStreams(databaseUrl, [id])).toMatchObject([{ status: 'completed', interruptions: 0 }]);
    expect(expectWholeChunks(await readLog(databaseUrl, id)).text).toBe(wordsText(40));
  });
});

// Its grace is short: nothing else of this file takes the machine's time meanwhile.
test('What does not end within the grace after SIGTERM is given up, and ended by the next process', async ({
  onTestFinished,
}) => {
  const scene = new Scene(onTestFinished);
  const llm = await scene.beginLlm();
  const databaseUrl = await scene.sharedDatabase();
  const env = {
    LLM_BASE_URL: llm.baseUrl,
    LLM_MODEL: 'stall:10',
    STREAM_CHUNK_DELAY_MS: '0',
    STREAM_LEASE_MS: '600000',
    SHUTDOWN_GRACE_MS: '1500',
  };
  const owner = await scene.begin(env, databaseUrl);
  const id = await ask(await scene.connect(owner), 'given-up');
  await waitForStreams(databaseUrl, [id], isUnderWay);
  expect(await owner.stop()).toBe(0);
  expect(await storedStreams(databaseUrl, [id])).toMatchObject([{ status: 'interrupted', owner_node: null }]);
  await scene.begin(env, databaseUrl);
  await waitForStreams(databaseUrl, [id], ({ status }) => status === 'failed');
  expectWholeChunks(await readLog(databaseUrl, id));
});
