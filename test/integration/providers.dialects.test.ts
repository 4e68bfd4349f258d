import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/common/clock.js';
import { OpenAiCompatibleProvider } from '../../src/providers/openai-compatible.provider.js';
import type { Delta } from '../../src/providers/provider.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';

let server: LlmServer;
let provider: OpenAiCompatibleProvider;

beforeAll(async () => {
  server = await startLlmServer();
});
afterAll(() => server.close());

beforeEach(() => {
  provider = new OpenAiCompatibleProvider({
    ...{ baseUrl: server.baseUrl, apiKey: undefined, models: ['any'], canContinue: false },
    ...{ timeoutMs: 10_000, idleTimeoutMs: 5000, clock: new SystemClock() },
  });
});
afterEach(() => provider.close());

async function collect(model: string): Promise<Delta[]> {
  const deltas: Delta[] = [];
  const { signal } = new AbortController();
  const messages = [{ role: 'user', content: 'Hello?' }] as const;
  for await (const delta of provider.stream({ model, messages, signal })) deltas.push(delta);
  return deltas;
}

function textOf(deltas: Delta[], type: 'content' | 'reasoning' = 'content'): string {
  return deltas.map((delta) => (delta.type === type ? delta.text : '')).join('');
}

describe('real servers, each in its own way', () => {
  it.each([
    ['ends lines with CR LF', 'crlf'],
    ['splits a code point over two segments', 'utf8'],
    ['escapes text and splits an emoji', 'escapes'],
    ['sends comments to keep the connection alive', 'comments'],
    ['sends empty choices, null texts and tool calls', 'azure'],
    ['ends without [DONE]', 'nodone'],
    ['ends without an empty line', 'llama-end'],
    ['stops at its longest answer', 'length'],
    ['stops at its content filter', 'filter'],
    ['calls it reasoning', 'reasoning'],
    ['counts in every chunk', 'usage-always'],
    ['answers all at once', 'json'],
  ])('a server that %s is understood', async (_, dialect) => {
    const deltas = await collect(`dialect:${dialect}`);
    expect(textOf(deltas)).toBe('smile 😀 again');
    expect(deltas.at(-1)?.type).toBe('finish');
    expect(textOf(deltas, 'reasoning')).toBe(dialect === 'reasoning' ? 'Hm.' : '');
  });

  it.each(['usage-always', 'json'])('the last usage counts (%s)', async (dialect) => {
    expect((await collect(`dialect:${dialect}`)).at(-1)).toEqual({
      type: 'finish',
      usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 },
    });
  });

  it('one that refuses stream_options is asked again without, and not asked for usage any more', async () => {
    const before = server.requests.length;
    const asked = (): unknown[] => server.requests.slice(before).map(({ body }) => body.stream_options);
    expect(textOf(await collect('strict:words:2'))).toBe(wordsText(2));
    expect(asked()).toEqual([{ include_usage: true }, undefined]);
    await collect('strict:words:2');
    expect(asked()).toEqual([{ include_usage: true }, undefined, undefined]);
  });

  it.each([
    ['llama-error', false, 'The provider refused the request (HTTP 400): the request exceeds the context'],
    ['vllm-error', true, 'The provider failed (HTTP 500).'],
    ['lm-studio-error', true, 'The provider failed: model crashed'],
    ['json-error', true, 'The provider failed: model not loaded'],
    ['finish-error', true, 'The provider failed.'],
    ['json-endless', true, 'The provider sent an event that is too large.'],
  ])('an error within a 200 is an error: %s', async (dialect, retryable, message) => {
    await expect(collect(`dialect:${dialect}`)).rejects.toMatchObject({ retryable, message });
  });

  it.each([
    ['408', 'provider_timeout'],
    ['504', 'provider_timeout'],
    ['404', 'provider_error'],
    ['308', 'provider_error'],
  ])('%s is %s', async (status, code) => {
    await expect(collect(`status:${status}`)).rejects.toMatchObject({ code });
  });
});

it('an answer that was read whole leaves its connection to the next', async () => {
  const ports: unknown[] = [];
  for (let index = 0; index < 6; index += 1) {
    // Its end comes behind [DONE].
    await collect('dialect:length');
    ports.push(server.requests.at(-1)?.port);
  }
  // The next request may come before the last response's end.
  expect(new Set(ports).size).toBeLessThanOrEqual(3);
});
