import { request, type Agent, type Dispatcher } from 'undici';
import type { Clock } from '../../common/clock.js';
import type { ProviderRequest } from '../provider.js';
import type { RequestDeadline } from './request-deadline.js';
import { toChatMessages } from './prompt.js';
import { refused, retryAfterMs, unreachable, type Refusal } from './provider-errors.js';

/** Largest part of a refusal that is read (P7). */
const MAX_REFUSAL_BYTES = 64 * 1024;

interface ChatEndpointOptions {
  agent: Agent;
  /** Such as `http://127.0.0.1:11434/v1`; its query, if any, goes with every request. */
  baseUrl: string;
  apiKey: string | undefined;
  /** To read a `Retry-After` that is a date. */
  clock: Clock;
}

/** A response whose body is an answer. */
export interface OpenResponse {
  contentType: string;
  body: Dispatcher.ResponseData['body'];
}

/** Where chat completions are asked for. */
export class ChatEndpoint {
  private readonly url: URL;
  private readonly headers: Record<string, string>;
  /** Until the server says that it does not know how to count. */
  private asksForUsage = true;

  constructor(private readonly options: ChatEndpointOptions) {
    this.url = new URL(options.baseUrl);
    this.url.pathname = `${this.url.pathname.replace(/\/+$/, '')}/chat/completions`;
    this.headers = {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      'accept-encoding': 'identity',
      'user-agent': 'streamgate',
      ...(options.apiKey !== undefined && { authorization: `Bearer ${options.apiKey}` }),
    };
  }

  /** Asks for an answer. @throws {DomainError} where there will be none; or why `patience` ended. */
  async ask(asked: ProviderRequest, deadline: RequestDeadline): Promise<OpenResponse> {
    const { asksForUsage } = this;
    const response = await deadline.wait(() => this.post(asked, deadline.signal));
    // An abort while nobody reads destroys the body, which would else be an error that nobody hears.
    response.body.on('error', () => {});
    const { statusCode: status, headers, body } = response;
    if (status >= 200 && status < 300) return { contentType: one(headers['content-type']) ?? '', body };
    const refusal: Refusal = {
      status,
      body: await deadline.wait(() => firstBytes(body)),
      retryAfterMs: retryAfterMs(one(headers['retry-after']), this.options.clock.now()),
    };
    if (!asksForUsage || !isAboutUsage(refusal)) throw refused(refusal, this.options.apiKey);
    this.asksForUsage = false;
    return this.ask(asked, deadline);
  }

  private async post(asked: ProviderRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const body = JSON.stringify({
      model: asked.model,
      messages: toChatMessages(asked),
      stream: true,
      ...(this.asksForUsage && { stream_options: { include_usage: true } }),
    });
    const { agent: dispatcher, apiKey } = this.options;
    const headers = { ...this.headers, ...nameOf(asked) };
    try {
      return await request(this.url, { method: 'POST', headers, body, dispatcher, signal });
    } catch (error) {
      signal.throwIfAborted();
      throw unreachable(error, apiKey);
    }
  }
}

/** So that the provider's log and trace can be held beside ours. */
function nameOf({ work }: ProviderRequest): Record<string, string> {
  return work ? { traceparent: work.traceparent, 'x-request-id': work.id } : {};
}

/** Mistral, Azure and other strict servers refuse the whole request for a field that they do not know. */
function isAboutUsage({ status, body }: Refusal): boolean {
  return (status === 400 || status === 422) && /stream_options|include_usage/.test(body);
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

/** The beginning of a body, whatever becomes of the rest. */
async function firstBytes(body: OpenResponse['body']): Promise<string> {
  const parts: Buffer[] = [];
  let left = MAX_REFUSAL_BYTES;
  try {
    for await (const part of body as AsyncIterable<Buffer>) {
      parts.push(part.subarray(0, left));
      left -= part.length;
      if (left <= 0) break;
    }
  } catch {
    // What came of it will do.
  }
  return Buffer.concat(parts).toString();
}
