import { Agent, EnvHttpProxyAgent, type Dispatcher } from 'undici';
import type { Readable } from 'node:stream';
import type { Clock } from '../common/clock.js';
import { AnswerParser, type Batch } from './openai-compatible/answer-parser.js';
import { ContinuationGap } from './openai-compatible/chat-messages.js';
import { ChatEndpoint, type RequestSettings } from './openai-compatible/chat-endpoint.js';
import { RequestDeadline, type RequestDeadlineLimits } from './openai-compatible/request-deadline.js';
import { FailureReports } from './openai-compatible/provider-errors.js';
import { Redactor } from './openai-compatible/redactor.js';
import type { ThinkTagsMode } from './openai-compatible/think-tags.js';
import type { Delta, Provider, ProviderRequest } from './provider.js';

/** How long to wait for the end of a response after its answer is complete, so that the connection can be used again. */
const DRAIN_MS = 1000;
/** How long to wait for usage and the end of the stream after the finish reason: some servers send neither. */
const END_WAIT_MS = 1000;
/** Gateways add headers of every server behind them; undici's default is 16 KiB. */
const MAX_HEADER_BYTES = 64 * 1024;

/** The address, models, settings and time limits of a model server. */
export interface OpenAiCompatibleOptions extends RequestDeadlineLimits, RequestSettings {
  models: readonly [string, ...string[]];
  /** Whether the model continues a last message of the assistant; not every server and chat template does. */
  canContinue: boolean;
  clock: Clock;
  /** By default `auto`. */
  thinkTags?: ThinkTagsMode;
  /** Whether errors quote whatever the server says, for developers; by default only what concerns the request. */
  quotesFailures?: boolean;
  /** The proxies of the network; by default none. */
  proxies?: Proxies;
}

/** Addresses of proxies, and the hosts that are reached without one, as the variables of the same names. */
interface Proxies {
  httpProxy?: string | undefined;
  httpsProxy?: string | undefined;
  noProxy?: string | undefined;
}

/** Returns what connects to model servers. Its owner must destroy it. */
function dispatcherFor({ httpProxy, httpsProxy, noProxy }: Proxies = {}): Dispatcher {
  // Otherwise undici ends a connection after 300 s of silence, whatever the time limits say.
  const limits = { bodyTimeout: 0, headersTimeout: 0, maxHeaderSize: MAX_HEADER_BYTES };
  if (!httpProxy && !httpsProxy) return new Agent(limits);
  const direct = noProxy === '*' ? noProxy : ['localhost', '127.0.0.1', noProxy ?? ''].join(',');
  return new EnvHttpProxyAgent({
    ...limits,
    httpProxy: httpProxy ?? '',
    httpsProxy: httpsProxy ?? '',
    noProxy: direct,
  });
}

/** Asks a server with the streaming chat completions API (OpenAI, vLLM, Ollama, llama.cpp, LM Studio …). */
export class OpenAiCompatibleProvider implements Provider {
  readonly name = 'openai-compatible';
  readonly models: readonly [string, ...string[]];
  readonly canContinue: boolean;
  private readonly dispatcher: Dispatcher;
  private readonly endpoint: ChatEndpoint;
  private readonly secrets: readonly string[];

  constructor(private readonly options: OpenAiCompatibleOptions) {
    this.models = options.models;
    this.canContinue = options.canContinue;
    this.dispatcher = dispatcherFor(options.proxies);
    this.endpoint = new ChatEndpoint({ ...options, dispatcher: this.dispatcher });
    this.secrets = secretsOf(options);
  }

  stream(request: ProviderRequest): AsyncIterable<Delta> {
    return { [Symbol.asyncIterator]: () => this.begin(request) };
  }

  /** Returns the configured models that the server does not list; null where it has no list. */
  async unknownModels(signal: AbortSignal): Promise<string[] | null> {
    const listed = await this.endpoint.listModels(signal);
    if (listed === null) return null;
    // Ollama lists the tag that a name without one stands for; Gemini a path.
    const known = new Set(
      listed.flatMap((id) => [id, id.replace(/:latest$/, ''), id.replace(/^models\//, '')]),
    );
    return this.models.filter((model) => !known.has(model));
  }

  /** Asks the default model for one word: leaving at it ends the request. @throws {DomainError} where it does not answer. */
  async askOneWord(signal: AbortSignal): Promise<void> {
    const messages = [{ role: 'user', content: 'Hello' }] as const;
    const deltas = this.begin({ model: this.models[0], messages, signal });
    await deltas.next();
    await deltas.return?.();
  }

  /** Closes all connections; running answers end with an error. */
  async close(): Promise<void> {
    await this.dispatcher.destroy();
  }

  private begin(request: ProviderRequest): AsyncIterator<Delta, undefined> {
    const { firstTokenTimeoutMs = this.options.idleTimeoutMs } = this.options;
    const deadline = new RequestDeadline(request.signal, {
      ...this.options,
      firstTokenTimeoutMs: Math.min(request.firstTokenTimeoutMs ?? Infinity, firstTokenTimeoutMs),
    });
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
    const failures = this.failuresOf(request);
    try {
      const { contentType, body } = await this.endpoint.open(request, deadline, failures);
      const { thinkTags = 'auto' } = this.options;
      const parser = new AnswerParser({ contentType, thinkTags, failures });
      const parts = partsOf(body, failures);
      const gap = new ContinuationGap(request.continueFrom);
      let finishedAt: number | undefined;
      for (let batch: Batch | undefined; !batch?.isWhole;) {
        if (parser.isFinished) finishedAt ??= performance.now();
        const part = await deadline.run(() => nextPart(parts, finishedAt));
        batch = part.done ? parser.end() : parser.push(part.value);
        if (batch.isActive) deadline.resetIdle(batch.deltas.length > 0);
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

  private failuresOf({ messages, continueFrom = '' }: ProviderRequest): FailureReports {
    const sent = messages.flatMap(({ content, name = '' }) => [content, name]);
    const redactor = new Redactor(this.secrets, [...sent, continueFrom]);
    return new FailureReports(redactor, this.options.quotesFailures ?? false);
  }
}

/** Returns what must never be shown of the settings of a server. */
function secretsOf({ apiKey = '', headers = {}, baseUrl, proxies = {} }: OpenAiCompatibleOptions): string[] {
  const { password } = new URL(proxies.httpsProxy ?? proxies.httpProxy ?? 'http://none');
  const query = [...new URL(baseUrl).searchParams.values()];
  // Shorter values are words such as a version, which would make messages unreadable.
  const others = [...Object.values(headers), ...query, password].filter(({ length }) => length >= 8);
  return [apiKey, ...others].filter((secret) => secret !== '');
}

/** Iterates over a body. Data that is not pulled stays in the kernel's buffers and at the server. */
async function* partsOf(body: Readable, failures: FailureReports): AsyncGenerator<Buffer, undefined> {
  try {
    yield* body as AsyncIterable<Buffer>;
  } catch (error) {
    throw failures.broken(error);
  }
  return undefined;
}

type Parts = AsyncIterator<Buffer, undefined>;

/** Reads on; where the answer has been finished for a while, or its connection breaks after that, it has ended. */
async function nextPart(parts: Parts, finishedAt?: number): Promise<IteratorResult<Buffer, undefined>> {
  if (finishedAt === undefined) return parts.next();
  const over = { done: true, value: undefined } as const;
  let timer: NodeJS.Timeout | undefined;
  const waited = new Promise<typeof over>((resolve) => {
    timer = setTimeout(() => resolve(over), finishedAt + END_WAIT_MS - performance.now());
  });
  try {
    return await Promise.race([parts.next().catch(() => over), waited]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for the end of a response, so that its connection can be used again; destroys it if no end comes. */
async function drain(body: Readable, parts: Parts): Promise<void> {
  const timer = setTimeout(() => body.destroy(), DRAIN_MS);
  try {
    while (!(await parts.next()).done);
  } catch {
    // The answer is complete; only the connection is lost.
  } finally {
    clearTimeout(timer);
  }
}
