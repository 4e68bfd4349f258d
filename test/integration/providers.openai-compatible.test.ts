import { createServer, type AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/common/clock.js';
import { DomainError } from '../../src/common/domain-error.js';
import {
  OpenAiCompatibleProvider,
  type OpenAiCompatibleOptions,
} from '../../src/providers/openai-compatible.provider.js';
import type { Delta, PromptMessage } from '../../src/providers/provider.js';
import { wordsText } from '../support/llm-behaviour.js';
import { StandingClock } from '../support/standing-clock.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';

const KEY = 'very/secret+key=0123456789';
const QUESTION: PromptMessage[] = [{ role: 'user', content: 'Hello?' }];

let server: LlmServer;
const opened: OpenAiCompatibleProvider[] = [];

beforeAll(async () => {
  server = await startLlmServer();
});

afterAll(() => server.close());

afterEach(async () => {
  await Promise.all(opened.splice(0).map((provider) => provider.close()));
});

function provider(options: Partial<OpenAiCompatibleOptions> = {}): OpenAiCompatibleProvider {
  const made = new OpenAiCompatibleProvider({
    baseUrl: server.baseUrl,
    apiKey: KEY,
    models: ['words:3'],
    canContinue: false,
    timeoutMs: 10_000,
    idleTimeoutMs: 5000,
    clock: new SystemClock(),
    ...options,
  });
  opened.push(made);
  return made;
}

function ask(
  model: string,
  options: Partial<OpenAiCompatibleOptions> = {},
  signal = new AbortController().signal,
) {
  return provider(options).stream({ model, messages: QUESTION, signal })[Symbol.asyncIterator]();
}

async function collect(model: string, messages = QUESTION): Promise<Delta[]> {
  const deltas: Delta[] = [];
  const { signal } = new AbortController();
  for await (const delta of provider().stream({ model, messages, signal })) deltas.push(delta);
  return deltas;
}

/** Reads to the failure; gives what came before it and the failure. */
async function failure(model: string, options: Partial<OpenAiCompatibleOptions> = {}) {
  const { signal } = new AbortController();
  let text = '';
  try {
    for await (const delta of provider(options).stream({ model, messages: QUESTION, signal })) {
      if (delta.type === 'content') text += delta.text;
    }
  } catch (error) {
    if (error instanceof DomainError) return { text, error };
    throw error;
  }
  throw new Error(`${model} ended without a failure after “${text}”`);
}

function textOf(deltas: Delta[], type: 'content' | 'reasoning' = 'content'): string {
  return deltas.map((delta) => (delta.type === type ? delta.text : '')).join('');
}

/** Index that the next request will have at the server. */
let next: number;
beforeEach(() => {
  next = server.requests.length;
});

describe('an answer of an openai-compatible server', () => {
  it('comes whole, in order, and ends with the usage that the server counted', async () => {
    const deltas = await collect('words:200');
    expect(textOf(deltas)).toBe(wordsText(200));
    expect(deltas.at(-1)).toEqual({
      type: 'finish',
      usage: { inputTokens: 7, outputTokens: 200, totalTokens: 207 },
    });
  });

  it('is asked for by streaming, with usage, key and model', async () => {
    await collect('words:1');
    const { path, headers, body } = await server.waitForRequest(next);
    expect(path).toBe('/v1/chat/completions');
    expect(headers.authorization).toBe(`Bearer ${KEY}`);
    expect(body).toMatchObject({ model: 'words:1', stream: true, stream_options: { include_usage: true } });
  });

  it('is asked for without an authorization where there is no key, and with the query of the base URL', async () => {
    const { signal } = new AbortController();
    const keyless = provider({ apiKey: undefined, baseUrl: `${server.baseUrl}?api-version=2` });
    for await (const _ of keyless.stream({ model: 'words:1', messages: QUESTION, signal }));
    const { path, headers } = await server.waitForRequest(next);
    expect(path).toBe('/v1/chat/completions?api-version=2');
    expect(headers.authorization).toBeUndefined();
  });

  it('has null as usage where the server did not count', async () => {
    expect((await collect('nousage:2')).at(-1)).toEqual({ type: 'finish', usage: null });
  });

  it('keeps reasoning apart from content', async () => {
    const deltas = await collect('reasoning:Let me think.');
    expect(textOf(deltas, 'reasoning')).toBe('Let me think.');
    expect(textOf(deltas)).toBe(wordsText(3));
  });

  it('never splits a code point between deltas', async () => {
    const texts = (await collect('surrogates')).map((delta) => (delta.type === 'content' ? delta.text : ''));
    expect(texts.every((text) => text.isWellFormed())).toBe(true);
    expect(texts.join('')).toBe('smile 😀 again');
  });

  it('names the sender in front of each message', async () => {
    await collect('words:1', [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi', name: 'Alice\nBob' },
      { role: 'assistant', content: 'Hello.' },
      { role: 'user', content: 'And me?' },
    ]);
    const { body } = await server.waitForRequest(next);
    expect(body.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Alice Bob: Hi' },
      { role: 'assistant', content: 'Hello.' },
      { role: 'user', content: 'And me?' },
    ]);
  });
});

describe('stopping an answer', () => {
  it('P6: an abort closes the connection within 250 ms and ends the iteration with an AbortError', async () => {
    const abort = new AbortController();
    const iterator = ask('words:100000:5', {}, abort.signal);
    for (let read = 0; read < 3; read += 1) await iterator.next();
    const at = performance.now();
    abort.abort();
    await expect(iterator.next()).rejects.toMatchObject({ name: 'AbortError' });
    const seen = await server.waitForClose(next);
    expect(seen.aborted).toBe(true);
    expect(seen.closedAt! - at).toBeLessThan(250);
  });

  it('P6: an abort closes the connection while the answer is not read', async () => {
    const abort = new AbortController();
    const iterator = ask('endless', {}, abort.signal);
    await iterator.next();
    const at = performance.now();
    abort.abort();
    expect((await server.waitForClose(next)).closedAt! - at).toBeLessThan(250);
    await expect(iterator.next()).rejects.toMatchObject({ name: 'AbortError' });
  });

  it.each(['stall:none', 'stall:0'])(
    'P6: an abort ends the wait for a server that stalls (%s)',
    async (model) => {
      const abort = new AbortController();
      const pending = ask(model, {}, abort.signal).next();
      await server.waitForRequest(next);
      const at = performance.now();
      abort.abort();
      await expect(pending).rejects.toMatchObject({ name: 'AbortError' });
      expect(performance.now() - at).toBeLessThan(250);
      expect((await server.waitForClose(next)).aborted).toBe(true);
    },
  );

  it('asks nothing when it was aborted before', async () => {
    await expect(ask('words:3', {}, AbortSignal.abort('a reason')).next()).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(server.requests).toHaveLength(next);
  });

  it('leaving the loop closes the connection', async () => {
    const { signal } = new AbortController();
    for await (const delta of provider().stream({ model: 'endless', messages: QUESTION, signal })) {
      if (delta.type === 'content') break;
    }
    expect((await server.waitForClose(next)).aborted).toBe(true);
  });

  it('return() does not wait for a server that stalls', async () => {
    const iterator = ask('stall:1');
    await iterator.next();
    const pending = iterator.next();
    const ended = expect(pending).rejects.toMatchObject({ name: 'AbortError' });
    await iterator.return?.();
    await ended;
    expect((await server.waitForClose(next)).aborted).toBe(true);
  });
});

describe('a slow reader', () => {
  it('P7: makes the server wait: what is not read is not taken', async () => {
    const iterator = ask('endless:4096');
    await iterator.next();
    const { bytesWritten } = await server.waitForQuiet(next, 300);
    // What lies in the kernel's socket buffers counts as written.
    expect(bytesWritten).toBeLessThan(16 * 1024 * 1024);
    for (let read = 0; read < 5000; read += 1) await iterator.next();
    expect(server.requests[next]!.bytesWritten).toBeGreaterThan(bytesWritten);
    await iterator.return?.();
  });

  it('does not use up the time of the provider', async () => {
    const iterator = ask('words:50:1', { idleTimeoutMs: 200, timeoutMs: 400 });
    await iterator.next();
    await server.waitForClose(next);
    await server.waitForQuiet(next, 500);
    let last: Delta | undefined;
    for (let step = await iterator.next(); !step.done; step = await iterator.next()) last = step.value;
    expect(last?.type).toBe('finish');
  });
});

describe('a provider that takes too long', () => {
  it.each([
    ['sends no headers', 'stall:none', ''],
    ['sends headers and then nothing', 'stall:0', ''],
    ['falls silent in the middle', 'stall:3', wordsText(3)],
  ])('%s: provider_timeout after LLM_IDLE_TIMEOUT_MS', async (_, model, before) => {
    const { text, error } = await failure(model, { idleTimeoutMs: 150 });
    expect(text).toBe(before);
    expect(error).toMatchObject({ code: 'provider_timeout', retryable: true });
    expect(error.message).toContain('150 ms');
    expect((await server.waitForClose(next)).aborted).toBe(true);
  });

  it('but never falls silent for long is read to its end', async () => {
    const iterator = ask('words:20:30', { idleTimeoutMs: 300 });
    const started = performance.now();
    for (let step = await iterator.next(); !step.done;) step = await iterator.next();
    expect(performance.now() - started).toBeGreaterThan(500);
  });

  it('never stops talking: provider_timeout after LLM_TIMEOUT_MS', async () => {
    const { text, error } = await failure('words:100000:5', { timeoutMs: 300, idleTimeoutMs: 5000 });
    expect(text).not.toBe('');
    expect(error.code).toBe('provider_timeout');
    expect(error.message).toContain('300 ms');
    expect((await server.waitForClose(next)).aborted).toBe(true);
  });
});

describe('a provider that fails', () => {
  it('429 is provider_unavailable with the wait that it asked for', async () => {
    const { error } = await failure('status:429:7');
    expect(error).toMatchObject({ code: 'provider_unavailable', retryable: true, retryAfterMs: 7000 });
  });

  it('429 may give the wait as a date', async () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    const { error } = await failure('status:429:Thu, 01 Jan 2026 00:00:30 GMT', {
      clock: new StandingClock(now),
    });
    expect(error.retryAfterMs).toBe(30_000);
  });

  it.each(['500', '502', '503'])('%s is provider_unavailable', async (status) => {
    const { error } = await failure(`status:${status}`);
    expect(error).toMatchObject({ code: 'provider_unavailable', retryable: true });
  });

  it('401 is provider_error, is not worth a repeat, and quotes nothing', async () => {
    const { error } = await failure('status:401');
    expect(error).toMatchObject({ code: 'provider_error', retryable: false });
    expect(error.message).not.toContain('Hello');
  });

  it('400 is provider_error with what the provider said, in short', async () => {
    const { error } = await failure('status:400');
    expect(error.code).toBe('provider_error');
    expect(error.message).toBe('The provider refused the request (HTTP 400): Refused: Hello?');
  });

  it('P11: what it says never gives away the key, nor more than a line', async () => {
    const content = `${KEY} and Bearer abcdef and sk-0123456789\n${'long '.repeat(500)}`;
    const { signal } = new AbortController();
    const iterator = provider()
      .stream({ model: 'status:400', messages: [{ role: 'user', content }], signal })
      [Symbol.asyncIterator]();
    const error = await iterator.next().then(
      () => expect.unreachable(),
      (thrown: unknown) => thrown as DomainError,
    );
    expect(error.message).toContain('[key] and [key] and [key] long');
    expect(error.message.length).toBeLessThan(300);
    expect((error.cause as Error).message).not.toContain(KEY);
    expect(JSON.stringify(error)).not.toContain(KEY);
  });

  it('a refused connection is provider_unavailable', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    await new Promise((resolve) => taken.close(resolve));
    const { error } = await failure('words:3', { baseUrl: `http://127.0.0.1:${port}/v1` });
    expect(error.code).toBe('provider_unavailable');
  });

  it('a connection that is reset before the answer is provider_unavailable', async () => {
    expect((await failure('reset')).error.code).toBe('provider_unavailable');
  });

  it.each([
    ['a connection cut in the middle', 'cut:3'],
    ['a clean end without a finish reason', 'nofinish:3'],
    ['broken JSON in an event', 'badjson:3'],
    ["the provider's own error event", 'error:3'],
  ])('%s is provider_error, after what came before it', async (_, model) => {
    const { text, error } = await failure(model);
    expect(text).toBe(wordsText(3));
    expect(error).toMatchObject({ code: 'provider_error', retryable: true });
  });

  it('its own error event is quoted, and its connection closed', async () => {
    expect((await failure('error:0')).error.message).toBe('The provider failed: Out of memory.');
    expect((await server.waitForClose(next)).aborted).toBe(true);
  });

  it('a page instead of an event stream is provider_error', async () => {
    expect((await failure('html')).error.code).toBe('provider_error');
  });

  it('P7: an event line without end is provider_error and not held in memory', async () => {
    const { error } = await failure('endlessline');
    expect(error).toMatchObject({
      code: 'provider_error',
      message: 'The provider sent an event that is too large.',
    });
    expect((await server.waitForClose(next)).bytesWritten).toBeLessThan(16 * 1024 * 1024);
  });

  it('does not harm the next request', async () => {
    server.script('cut:1', 'status:500', 'words:2');
    await failure('ordered');
    await failure('ordered');
    expect(textOf(await collect('ordered'))).toBe(wordsText(2));
  });
});
