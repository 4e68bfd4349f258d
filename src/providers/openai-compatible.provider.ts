import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { LanguageModelV3, LanguageModelV3StreamPart, LanguageModelV3Usage } from '@ai-sdk/provider';
import { Agent } from 'undici';
import type { Clock } from '../common/clock.js';
import { DomainError } from '../common/domain-error.js';
import { boundedFetch } from './openai-compatible/bounded-fetch.js';
import { Patience, type PatienceLimits } from './openai-compatible/patience.js';
import { toModelPrompt } from './openai-compatible/prompt.js';
import { toProviderError } from './openai-compatible/provider-errors.js';
import { WholeCodePoints } from './openai-compatible/whole-code-points.js';
import type { Delta, Provider, ProviderRequest } from './provider.js';

/** Where the model is and how long it may take. */
export interface OpenAiCompatibleOptions extends PatienceLimits {
  /** Such as `http://127.0.0.1:11434/v1`; its query, if any, goes with every request. */
  baseUrl: string;
  apiKey: string | undefined;
  models: readonly [string, ...string[]];
  /** Whether the model goes on behind a last message of the assistant; not every server and template does. */
  canContinue: boolean;
  clock: Clock;
}

/**
 * Any server that speaks the streaming chat completions API (OpenAI, vLLM, Ollama, llama.cpp, LM Studio …).
 * Reads the model's own `doStream()`: `streamText` would read the provider to its end whether or not we do.
 */
export class OpenAiCompatibleProvider implements Provider {
  readonly name = 'openai-compatible';
  readonly models: readonly [string, ...string[]];
  readonly canContinue: boolean;
  // Silence is ours to judge: undici would end a connection after 300 s of it, whatever LLM_IDLE_TIMEOUT_MS says.
  private readonly agent = new Agent({ bodyTimeout: 0, headersTimeout: 0 });
  private readonly chatModel: (model: string) => LanguageModelV3;

  constructor(private readonly options: OpenAiCompatibleOptions) {
    this.models = options.models;
    this.canContinue = options.canContinue;
    const url = new URL(options.baseUrl);
    const queryParams = Object.fromEntries(url.searchParams);
    url.search = '';
    const client = createOpenAICompatible({
      name: this.name,
      baseURL: url.href,
      includeUsage: true,
      fetch: boundedFetch(this.agent),
      queryParams,
      ...(options.apiKey !== undefined && { apiKey: options.apiKey }),
    });
    this.chatModel = (model) => client.chatModel(model);
  }

  stream(request: ProviderRequest): AsyncIterable<Delta> {
    return { [Symbol.asyncIterator]: () => this.begin(request) };
  }

  /** Closes every connection; answers that are being read end with an error. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private begin(request: ProviderRequest): AsyncIterator<Delta, undefined> {
    const patience = new Patience(request.signal, this.options);
    const deltas = this.read(request, patience);
    return {
      next: () => deltas.next(),
      // A generator's own return() waits behind a next() that is under way, and so for a provider that stalls.
      return: async () => {
        patience.stop();
        return deltas.return(undefined);
      },
    };
  }

  private async *read(request: ProviderRequest, patience: Patience): AsyncGenerator<Delta, undefined> {
    try {
      const prompt = toModelPrompt(request);
      const model = this.chatModel(request.model);
      const { stream } = await patience.wait(() =>
        Promise.resolve(model.doStream({ prompt, abortSignal: patience.signal })),
      );
      yield* toDeltas(readParts(stream, patience));
      return undefined;
    } catch (error) {
      patience.signal.throwIfAborted();
      throw toProviderError(error, { apiKey: this.options.apiKey, now: this.options.clock.now() });
    } finally {
      patience.stop();
    }
  }
}

async function* readParts(
  stream: ReadableStream<LanguageModelV3StreamPart>,
  patience: Patience,
): AsyncGenerator<LanguageModelV3StreamPart> {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await patience.wait(() => reader.read());
    if (done) return;
    // The first part is the library's own and says nothing about the provider.
    if (value.type !== 'stream-start') patience.heard();
    yield value;
  }
}

async function* toDeltas(parts: AsyncIterable<LanguageModelV3StreamPart>): AsyncGenerator<Delta> {
  const texts = { content: new WholeCodePoints(), reasoning: new WholeCodePoints() };
  for await (const part of parts) {
    if (part.type === 'error') throw part.error;
    if (part.type === 'finish') {
      yield* some('reasoning', texts.reasoning.end());
      yield* some('content', texts.content.end());
      yield { type: 'finish', usage: toUsage(part.usage) };
      return;
    }
    if (part.type === 'reasoning-delta') yield* some('reasoning', texts.reasoning.push(part.delta));
    if (part.type === 'text-delta') yield* some('content', texts.content.push(part.delta));
  }
  throw new DomainError('provider_error', "The provider's answer ended before it was complete.");
}

function* some(type: 'content' | 'reasoning', text: string): Generator<Delta> {
  if (text !== '') yield { type, text };
}

function toUsage({ inputTokens, outputTokens }: LanguageModelV3Usage) {
  const input = inputTokens.total;
  const output = outputTokens.total;
  if (input === undefined || output === undefined) return null;
  return { inputTokens: input, outputTokens: output, totalTokens: input + output };
}
