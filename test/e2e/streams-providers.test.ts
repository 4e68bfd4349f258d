import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LIMITS, type ErrorCode, type SendPayload, type TerminalMetadata } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { expectWholeStream, type SeenStream } from '../support/streams.js';
import { withClient } from '../support/with-client.js';

const MODELS =
  'echo words:3 words:40:5 stall:none stall:2 status:500 status:429:7 status:401 cut:3 reset nofinish:3 error:3 badjson:3 html endless:65536 reasoning:Hm surrogates nousage:3 dialect:length dialect:only-thinking dialect:only-tools dialect:only-refusal dialect:no-end dialect:think-split';
const KEY = 'sk-a-key-that-nobody-may-see';

let server: TestServer;
let llm: LlmServer;
let rooms = 0;

beforeAll(async () => {
  llm = await startLlmServer();
  server = await startServer({
    env: {
      ...{ LLM_BASE_URL: llm.baseUrl, LLM_API_KEY: KEY, LLM_MODEL: 'words:20' },
      ...{ LLM_FIRST_TOKEN_TIMEOUT_MS: '1000', LLM_IDLE_TIMEOUT_MS: '1000' },
      ...{ LLM_MODELS: MODELS.replaceAll(' ', ','), STREAM_CHUNK_DELAY_MS: '0', STREAM_MAX_PER_USER: '100' },
      ...{ RATE_LIMIT_STREAMS: '1000/60', MAX_CONNECTIONS_PER_USER: '200' },
      // What a single failure becomes; test/e2e/streams-resilience.test.ts has the rest.
      ...{ PROVIDER_RETRIES: '0', PROVIDER_BREAKER_FAILURES: '1000' },
    },
  });
});
afterAll(async () => {
  await stopCleanly(server);
  await llm.close();
});

async function member(name: string, conversationId: string): Promise<TestClient> {
  const client = await TestClient.connect(server.url, name, { name: `${name} Smith` });
  await client.ask('conversation:join', { conversationId, access: 'link' });
  return client;
}

/** Asks, and gives what was seen of the whole answer. */
async function ask(
  client: TestClient,
  conversationId: string,
  fields: Partial<SendPayload> = {},
): Promise<SeenStream> {
  const payload = { conversationId, clientMessageId: crypto.randomUUID(), content: 'Why?', ...fields };
  const { streamId } = await client.ask('message:send', payload);
  const end = await client.waitFor(
    'stream:chunk',
    (chunk) => chunk.streamId === streamId && ['complete', 'error', 'cancelled'].includes(chunk.type),
  );
  if ((end.metadata as unknown as TerminalMetadata).messageId !== undefined) {
    await client.waitFor('message:new', (message) => message.streamId === streamId);
  }
  return expectWholeStream(client, streamId as string);
}

const prompt = (): unknown => llm.requests.at(-1)?.body.messages.map(({ role, content }) => [role, content]);

describe('The prompt', () => {
  test('holds the conversation up to the question, and names once two people have spoken', async () => {
    const id = 'prompt-1';
    const alice = await member('alice', id);
    const bob = await member('bob', id);
    await ask(alice, id, { content: 'One?', model: 'echo' });
    expect(prompt()).toEqual([['user', 'One?']]);
    expect(llm.requests.at(-1)?.headers.authorization).toBe(`Bearer ${KEY}`);
    await bob.ask('message:send', {
      conversationId: id,
      clientMessageId: 'b',
      content: 'Two.',
      respond: false,
    });
    await ask(bob, id, { content: 'Three?', model: 'words:3' });
    expect(prompt()).toEqual([
      ['user', 'alice Smith: One?'],
      ['assistant', 'One?'],
      ['user', 'bob Smith: Two.\n\nbob Smith: Three?'],
    ]);
    expect(llm.requests.at(-1)?.body).toMatchObject({ model: 'words:3', stream: true });
  });

  test('without context is the question alone', async () => {
    const id = 'prompt-2';
    const alice = await member('alice', id);
    await ask(alice, id, { content: 'One?' });
    await ask(alice, id, { content: 'Two?', includeContext: false });
    expect(prompt()).toEqual([['user', 'Two?']]);
  });

  test('ends with the question, whatever was said after it', async () => {
    const id = 'prompt-3';
    const alice = await member('alice', id);
    const before = llm.requests.length;
    const sends = Array.from({ length: 10 }, (_, n) =>
      alice.ask('message:send', {
        conversationId: id,
        clientMessageId: `q${n}`,
        content: `Question ${n}`,
        respond: n === 4,
      }),
    );
    const sent = await Promise.all(sends);
    await alice.waitFor('message:new', ({ streamId }) => streamId === sent[4]?.streamId);
    expect(llm.requests.length).toBe(before + 1);
    const own = sent
      .map(({ message }) => message)
      .filter(({ seq }) => seq <= (sent[4]?.message.seq as number));
    const asked = own.toSorted((a, b) => a.seq - b.seq).map(({ content }) => content);
    expect(prompt()).toEqual([['user', asked.join('\n\n')]]);
  });
});

describe('What the provider says is passed on', () => {
  test('reasoning is in the stream, not in the message; usage is the provider’s', async () => {
    const alice = await member('alice', 'said-1');
    const { chunks, text, message } = await ask(alice, 'said-1', { model: 'reasoning:Hm' });
    expect(chunks[1]).toMatchObject({ type: 'reasoning', content: 'Hm' });
    expect(text).toBe(wordsText(3));
    expect(message?.content).toBe(wordsText(3));
    const counted = await ask(alice, 'said-1', { model: 'words:3' });
    expect(counted.terminal.metadata.usage).toEqual({
      ...{ inputTokens: 7, outputTokens: 3, totalTokens: 10 },
      source: 'provider',
    });
    const estimated = await ask(alice, 'said-1', { model: 'nousage:3' });
    expect(estimated.terminal.metadata.usage.source).toBe('estimated');
    expect(estimated.terminal.metadata.usage.outputTokens).toBeGreaterThan(0);
    expect(estimated.terminal.metadata.usage.inputTokens).toBeGreaterThan(0);
  });

  test.each([
    ['dialect:length', 'length', 'smile 😀 again'],
    ['dialect:only-refusal', 'refusal', "I can't help."],
  ])(
    'an end other than the natural one is in the end and in the message (%s)',
    async (model, reason, text) => {
      const alice = await member('alice', `ended-${reason}`);
      const seen = await ask(alice, `ended-${reason}`, { model });
      expect(seen.terminal).toMatchObject({ type: 'complete', metadata: { reason } });
      expect(seen.message).toMatchObject({ content: text, metadata: { finish: 'complete', reason } });
    },
  );

  test('thinking in tags is reasoning, and is in no later prompt', async () => {
    const dora = await member('dora', 'said-think');
    const { chunks, message } = await ask(dora, 'said-think', { model: 'dialect:think-split' });
    const reasoning = chunks.filter(({ type }) => type === 'reasoning').map(({ content }) => content);
    expect([reasoning.join(''), message?.content]).toEqual(['Hm.', 'smile 😀 again']);
    await ask(dora, 'said-think', { model: 'words:3' });
    expect(JSON.stringify(prompt())).not.toContain('Hm');
  });

  test('text with control characters and split emoji is made clean', async () => {
    const alice = await member('alice', 'said-2');
    const split = await ask(alice, 'said-2', { model: 'surrogates' });
    expect(split.text).toBe('smile 😀 again');
    llm.script('say:a\u0000b\u0007c\td\ud800');
    expect((await ask(alice, 'said-2')).text).toBe('a\ufffdb\ufffdc\td\ufffd');
  });
});

describe('A fault of the provider ends the stream with one error chunk, and the text so far is kept', () => {
  const faults: [string, ErrorCode, string, number?][] = [
    ['status:500', 'provider_unavailable', ''],
    ['status:429:7', 'provider_unavailable', '', 7000],
    ['status:401', 'provider_error', ''],
    ['reset', 'provider_unavailable', ''],
    ['html', 'provider_error', ''],
    ['cut:3', 'provider_error', wordsText(3)],
    ['nofinish:3', 'provider_error', wordsText(3)],
    ['error:3', 'provider_error', wordsText(3)],
    ['badjson:3', 'provider_error', wordsText(3)],
    ['dialect:only-thinking', 'provider_error', ''],
    ['dialect:only-tools', 'provider_error', ''],
    ['stall:none', 'provider_timeout', ''],
    ['stall:2', 'provider_timeout', wordsText(2)],
  ];
  test.each(faults)('%s: %s', async (model, code, text, retryAfterMs) => {
    const id = `fault-${(rooms += 1)}`;
    const alice = await member('alice', id);
    const seen = await ask(alice, id, { model });
    const { error } = seen.terminal.metadata;
    expect(seen.terminal.type).toBe('error');
    expect(error?.code).toBe(code);
    expect(error?.retryAfterMs).toBe(retryAfterMs);
    expect(seen.text).toBe(text);
    expect(seen.message?.metadata).toEqual(text === '' ? undefined : { finish: 'error' });
    const { messages } = await alice.ask('message:history', { conversationId: id, afterSeq: 0 });
    expect(messages).toHaveLength(text === '' ? 1 : 2);
    expect(JSON.stringify([alice.heard, server.output()])).not.toContain(KEY);
    expect(alice.all('stream:status').at(-1)).toMatchObject({ status: 'failed' });
    await llm.waitForClose(llm.requests.length - 1);
  });
});

test('A provider that never ends is stopped at the longest answer that may be, and not asked again (P7)', async () => {
  const alice = await member('alice', 'fault-endless');
  const seen = await ask(alice, 'fault-endless', { model: 'endless:65536' });
  expect(seen.terminal.metadata.error).toMatchObject({ code: 'provider_error', retryable: false });
  expect(seen.text.length).toBeLessThanOrEqual(LIMITS.answerChars);
  expect(seen.text.length).toBeGreaterThan(LIMITS.answerChars / 2);
  await llm.waitForClose(llm.requests.length - 1);
});

test('A failure to note the prompt’s size harms neither the answer nor the process (P5, P11)', async () => {
  await withClient(server.databaseUrl, async (database) => {
    await database.query(`create function fail() returns trigger language plpgsql as $$
      begin raise exception 'ordered' using errcode = 'P0001'; end $$`);
    await database.query(`create trigger fail before update of prompt_bytes on streams
      for each row when (old.conversation_id = 'fault-noted') execute function fail()`);
  });
  const alice = await member('alice', 'fault-noted');
  const seen = await ask(alice, 'fault-noted', { model: 'words:40:5' });
  expect(seen.text).toBe(wordsText(40));
  expect(await alice.ask('ping', 1)).toMatchObject({ echo: 1 });
});
