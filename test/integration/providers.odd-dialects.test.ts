import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/common/clock.js';
import {
  OpenAiCompatibleProvider,
  type OpenAiCompatibleOptions,
} from '../../src/providers/openai-compatible.provider.js';
import type { Delta } from '../../src/providers/provider.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';

const TEXT = 'smile 😀 again';

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
    ...{ baseUrl: server.baseUrl, apiKey: undefined, models: ['any'], canContinue: false },
    ...{ timeoutMs: 10_000, idleTimeoutMs: 5000, clock: new SystemClock(), ...options },
  });
  opened.push(made);
  return made;
}

async function ask(model: string, options: Partial<OpenAiCompatibleOptions> = {}) {
  const seen = { content: '', reasoning: '', progress: '' };
  let finish: Delta | undefined;
  let error: unknown;
  const { signal } = new AbortController();
  const messages = [{ role: 'user', content: 'Hello?' }] as const;
  try {
    for await (const delta of provider(options).stream({ model, messages, signal })) {
      if (delta.type === 'finish') finish = delta;
      else seen[delta.type] += delta.text;
    }
  } catch (thrown) {
    error = thrown;
  }
  return { ...seen, finish, error };
}

const complete = { content: TEXT, finish: { type: 'finish', usage: null }, error: undefined };

describe('a server that does it in its own way is understood', () => {
  it.each([
    ...['ping-data', 'ping-event', 'ping-processing', 'ping-words', 'unknown-objects', 'no-error'],
    ...['parts-json', 'parts-stream', 'json-untyped', 'json-plain', 'json-as-events', 'json-pretty'],
    ...['json-no-reason', 'events-as-json', 'events-as-octets', 'single-ends', 'single-ends-cr'],
    ...[
      'many-data-lines',
      'ndjson',
      'ndjson-end',
      'text-choice',
      'ends-eos',
      'byte-order-mark',
      'roles-again',
    ],
    ...['usage-first', 'whole-again', 'several-answers', 'several-answers-at-once'],
    ...['gzip', 'br', 'deflate', 'deflate-raw', 'gzip-json', 'gzip-twice', 'usage-zeros', 'usage-half'],
  ])('%s', async (dialect) => {
    expect(await ask(`dialect:${dialect}`)).toMatchObject(complete);
  });

  it('an object of an unknown shape between words is passed over', async () => {
    expect((await ask('odd:3')).content).toBe(wordsText(3));
  });

  it.each(['no-end', 'gzip-no-end'])(
    'an answer is complete soon after its finish reason, though nothing follows (%s)',
    async (dialect) => {
      const at = performance.now();
      expect(await ask(`dialect:${dialect}`, { idleTimeoutMs: 9000 })).toMatchObject(complete);
      expect(performance.now() - at).toBeLessThan(4000);
    },
  );

  it('an encoding that is not known is an error that says so', async () => {
    const { error } = await ask('dialect:lzma');
    expect(error).toMatchObject({ code: 'provider_error', retryable: false });
  });

  it.each(['usage-then-zeros', 'usage-groq'])(
    'usage is found, and zeros do not undo it (%s)',
    async (dialect) => {
      const { finish } = await ask(`dialect:${dialect}`);
      expect(finish).toMatchObject({ usage: { inputTokens: 3, outputTokens: 3, totalTokens: 6 } });
    },
  );
});

describe('thinking within the text', () => {
  it.each([
    ...['think-whole', 'think-split', 'think-close', 'think-lone', 'think-json', 'think-kimi'],
    ...['think-empty-field', 'think-parts', 'think-twice'],
  ])('is reasoning: %s', async (dialect) => {
    expect(await ask(`dialect:${dialect}`)).toMatchObject({ ...complete, reasoning: 'Hm.' });
  });

  it('may have its opening tag in the chat template, where the setting says so', async () => {
    const seen = await ask('dialect:think-open', { thinkTags: 'open' });
    expect(seen).toMatchObject({ ...complete, reasoning: 'Hm.' });
    expect(await ask('dialect:think-split', { thinkTags: 'open' })).toMatchObject({
      ...complete,
      reasoning: 'Hm.',
    });
  });

  it('stays in the text where the setting turns it off', async () => {
    const seen = await ask('dialect:think-whole', { thinkTags: 'off' });
    expect(seen).toMatchObject({ content: `<think>\nHm.</think>\n\n${TEXT}`, reasoning: '' });
  });

  it('stays in the text, tag and all, where its closing tag comes after words that were given out', async () => {
    const seen = await ask('dialect:think-late');
    expect(seen).toMatchObject({ content: `Hm.</think>\n${TEXT}`, reasoning: '' });
  });

  it('is not what an answer writes about tags', async () => {
    const seen = await ask('dialect:think-quoted');
    expect(seen).toMatchObject({ content: 'The tag `<think>` ends with `</think>`.', reasoning: '' });
  });
});

describe('an end other than the natural one is told', () => {
  it.each([
    ['length', 'length'],
    ['filter', 'content_filter'],
    ['ends-max', 'length'],
    ['ends-safety', 'content_filter'],
    ['ends-odd', 'time_limit'],
  ])('%s: %s', async (dialect, reason) => {
    expect(await ask(`dialect:${dialect}`)).toMatchObject({ content: TEXT, finish: { reason } });
  });

  it.each(['only-refusal', 'only-refusal-json'])("a refusal is the answer's words (%s)", async (dialect) => {
    expect(await ask(`dialect:${dialect}`)).toMatchObject({
      content: "I can't help.",
      finish: { reason: 'refusal' },
    });
  });

  it.each([
    ['only-thinking', 'used up its longest answer for its thinking'],
    ['only-thinking-stop', 'after its thinking'],
    ['only-tools', 'call a tool'],
    ['only-tools-stop', 'call a tool'],
    ['only-filter', 'content filter'],
    ['only-end', 'without a word'],
  ])('an answer without words is an error, and not asked for again: %s', async (dialect, message) => {
    const { error } = await ask(`dialect:${dialect}`);
    expect(error).toMatchObject({ code: 'provider_error', retryable: false });
    expect((error as Error).message).toContain(message);
  });

  it.each(['resources-gone', 'ends-abort'])(
    'an answer that the server gave up is an error after its text (%s)',
    async (dialect) => {
      const seen = await ask(`dialect:${dialect}`);
      expect(seen).toMatchObject({ content: TEXT, error: { code: 'provider_error', retryable: true } });
    },
  );
});

describe('an error within a 200', () => {
  it.each([
    [
      'error-json-as-events',
      'provider_error',
      false,
      'The provider refused the request (HTTP 404): no such model',
    ],
    ['error-gemini', 'provider_error', false, 'The provider refused the request (HTTP 400): too long'],
    [
      'error-string-code',
      'provider_unavailable',
      true,
      'The provider takes no more requests for now (HTTP 429).',
    ],
    ['error-digits', 'provider_unavailable', true, 'The provider failed (HTTP 503).'],
    ['error-event', 'provider_error', true, 'The provider failed: the model crashed'],
    ['error-event-words', 'provider_error', true, 'The provider failed: the model crashed'],
    ['error-data', 'provider_unavailable', true, 'The provider failed (HTTP 503).'],
  ])('%s', async (dialect, code, retryable, message) => {
    expect((await ask(`dialect:${dialect}`)).error).toMatchObject({ code, retryable, message });
  });
});
