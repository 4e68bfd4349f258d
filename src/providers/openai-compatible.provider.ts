import { Agent } from 'undici';
import type { Clock } from '../common/clock.js';
import { parserFor, type Batch } from './openai-compatible/answer-parser.js';
import { ContinuationGap } from './openai-compatible/chat-messages.js';
import { ChatEndpoint, type OpenResponse } from './openai-compatible/chat-endpoint.js';
import { RequestDeadline, type RequestDeadlineLimits } from './openai-compatible/request-deadline.js';
import { broken } from './openai-compatible/provider-errors.js';
import type { Delta, Provider, ProviderRequest } from './provider.js';

/** How long to wait for the end of a response after its answer is complete, so that the connection can be used again. */
const DRAIN_MS = 1000;

/** The address, models and time limits of a model server. */
export interface OpenAiCompatibleOptions extends RequestDeadlineLimits {
  /** Such as `http://127.0.0.1:11434/v1`; its query, if any, is sent with every request. */
  baseUrl: string;
  apiKey: string | undefined;
  models: readonly [string, ...string[]];
  /** Whether the model continues a last message of the assistant; not every server and chat template does. */
  canContinue: boolean;
  clock: Clock;
}

/** Asks a server with the streaming chat completions API (OpenAI, vLLM, Ollama, llama.cpp, LM Studio …). */
export class OpenAiCompatibleProvider implements Provider {
  readonly name = 'openai-compatible';
  readonly models: readonly [string, ...string[]];
  readonly canContinue: boolean;
  // Otherwise undici ends a connection after 300 s of silence, whatever LLM_IDLE_TIMEOUT_MS says.
  private readonly agent = new Agent({ bodyTimeout: 0, headersTimeout: 0 });
  private readonly endpoint: ChatEndpoint;

  constructor(private readonly options: OpenAiCompatibleOptions) {
    this.models = options.models;
    this.canContinue = options.canContinue;
    this.endpoint = new ChatEndpoint({ agent: this.agent, ...options });
  }

  stream(request: ProviderRequest): AsyncIterable<Delta> {
    return { [Symbol.asyncIterator]: () => this.begin(request) };
  }

  /** Closes all connections; running answers end with an error. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private begin(request: ProviderRequest): AsyncIterator<Delta, undefined> {
    const timeoutMs = Math.min(request.timeoutMs ?? Infinity, this.options.timeoutMs);
    const deadline = new RequestDeadline(request.signal, { ...this.options, timeoutMs });
    const deltas = this.read(request, deadline);
    return {
      next: () => deltas.next(),
      // A generator's own return() waits for a pending next(), and so for a provider that stalls.
      return: async () => {
        deadline.cancel();
        return deltas.return(undefined);
      },
    };
  }

  /** Reads the answer in a single generator: each further one would cost as much per delta as parsing it. */
  private async *read(request: ProviderRequest, deadline: RequestDeadline): AsyncGenerator<Delta, undefined> {
    try {
      const { contentType, body } = await this.endpoint.open(request, deadline);
      const parser = parserFor(contentType, this.options.apiKey);
      const parts = partsOf(body);
      const gap = new ContinuationGap(request.continueFrom);
      for (let batch: Batch | undefined; !batch?.isWhole;) {
        const part = await deadline.run(() => this.next(parts));
        batch = part.done ? parser.end() : parser.push(part.value);
        if (batch.isActive) deadline.resetIdle();
        if (batch.isWhole) deadline.release();
        if (batch.isWhole) void drain(body, parts);
        for (const delta of batch.deltas) {
          if (delta.type === 'content') delta.text = gap.close(delta.text);
          yield delta;
          // Deltas that were parsed already must not follow a cancel (P6).
          deadline.signal.throwIfAborted();
        }
        if (batch.fault !== undefined) throw batch.fault;
      }
      return undefined;
    } catch (error) {
      deadline.signal.throwIfAborted();
      throw error;
    } finally {
      deadline.cancel();
    }
  }

  private async next(parts: AsyncIterator<Buffer>): Promise<IteratorResult<Buffer>> {
    try {
      return await parts.next();
    } catch (error) {
      throw broken(error, this.options.apiKey);
    }
  }
}

/** Iterates over a body. Data that is not pulled stays in the kernel's buffers and at the server. */
function partsOf(body: OpenResponse['body']): AsyncIterator<Buffer> {
  return (body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
}

/** Waits for the end of a response, so that its connection can be used again; destroys it if no end comes. */
async function drain(body: OpenResponse['body'], parts: AsyncIterator<Buffer>): Promise<void> {
  const timer = setTimeout(() => body.destroy(), DRAIN_MS);
  try {
    while (!(await parts.next()).done);
  } catch {
    // The answer is complete; only the connection is lost.
  } finally {
    clearTimeout(timer);
  }
}
