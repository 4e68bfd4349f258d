import { request, type Agent, type Dispatcher } from 'undici';
import type { Clock } from '../../common/clock.js';
import type { ProviderRequest } from '../provider.js';
import { toChatMessages } from './chat-messages.js';
import type { RequestDeadline } from './request-deadline.js';
import { refused, retryAfterMs, unreachable, type Refusal } from './provider-errors.js';

/** Most bytes of an error response that are read (P7). */
const MAX_REFUSAL_BYTES = 64 * 1024;

interface ChatEndpointOptions {
  agent: Agent;
  /** Such as `http://127.0.0.1:11434/v1`; its query, if any, is sent with every request. */
  baseUrl: string;
  apiKey: string | undefined;
  /** To read a `Retry-After` that is a date. */
  clock: Clock;
}

/** A response with a 2xx status. */
export interface OpenResponse {
  contentType: string;
  body: Dispatcher.ResponseData['body'];
}

/** Sends requests to the chat completions endpoint of one server. */
export class ChatEndpoint {
  private readonly url: URL;
  private readonly headers: Record<string, string>;
  /** False once the server has refused `stream_options`. */
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

  /** Requests an answer. @throws {DomainError} where the server refuses or cannot be reached; or the reason of `deadline.signal`. */
  async open(wanted: ProviderRequest, deadline: RequestDeadline): Promise<OpenResponse> {
    const { asksForUsage } = this;
    const response = await deadline.run(() => this.post(wanted, deadline.signal));
    // An abort while nobody reads destroys the body: without a listener its 'error' event would end the process.
    response.body.on('error', () => {});
    const { statusCode: status, headers, body } = response;
    if (status >= 200 && status < 300) return { contentType: one(headers['content-type']) ?? '', body };
    const refusal: Refusal = {
      status,
      body: await deadline.run(() => firstBytes(body)),
      retryAfterMs: retryAfterMs(one(headers['retry-after']), this.options.clock.now()),
    };
    if (!asksForUsage || !isUsageRefused(refusal)) throw refused(refusal, this.options.apiKey);
    this.asksForUsage = false;
    return this.open(wanted, deadline);
  }

  private async post(wanted: ProviderRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const body = JSON.stringify({
      model: wanted.model,
      messages: toChatMessages(wanted),
      stream: true,
      ...(this.asksForUsage && { stream_options: { include_usage: true } }),
    });
    const { agent: dispatcher, apiKey } = this.options;
    const headers = { ...this.headers, ...tracingHeaders(wanted) };
    try {
      return await request(this.url, { method: 'POST', headers, body, dispatcher, signal });
    } catch (error) {
      signal.throwIfAborted();
      throw unreachable(error, apiKey);
    }
  }
}

/** Headers that tie the provider's log and trace to ours. */
function tracingHeaders({ context }: ProviderRequest): Record<string, string> {
  return context ? { traceparent: context.traceparent, 'x-request-id': context.id } : {};
}

/** Whether a strict server (Mistral, Azure) refused the request because it does not know `stream_options`. */
function isUsageRefused({ status, body }: Refusal): boolean {
  return (status === 400 || status === 422) && /stream_options|include_usage/.test(body);
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

/** Reads the beginning of a body, also where the rest fails. */
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
    // The part that came is enough.
  }
  return Buffer.concat(parts).toString();
}
