import type { Readable } from 'node:stream';
import { request, type Dispatcher } from 'undici';
import type { Clock } from '../../common/clock.js';
import { sleep } from '../../common/deadline.js';
import type { ProviderRequest } from '../provider.js';
import { toChatMessages } from './chat-messages.js';
import { decodedBody } from './decoded-body.js';
import { isObject, parsed } from './json.js';
import { retryAfterMs, type FailureReports, type Refusal } from './provider-errors.js';
import type { RequestDeadline } from './request-deadline.js';

/** Most bytes of an error response that are read (P7). */
const MAX_REFUSAL_BYTES = 64 * 1024;

/** How long after a response that says that the model is being loaded the server is asked again, in milliseconds. */
const LOADING_RETRY_MS = 1000;

/** What operators set for every request to a server. */
export interface RequestSettings {
  /** Such as `http://127.0.0.1:11434/v1`; its query, if any, is sent with every request. */
  baseUrl: string;
  apiKey: string | undefined;
  /** Further headers, which replace our own. */
  headers?: Readonly<Record<string, string>>;
  /** Further fields of the body, which replace our own; null leaves one out. */
  body?: Readonly<Record<string, unknown>>;
  /** Whether requests ask for usage by `stream_options`; `auto`: until the server refuses that. */
  streamOptions?: 'auto' | 'on' | 'off';
}

interface ChatEndpointOptions extends RequestSettings {
  dispatcher: Dispatcher;
  /** To read a `Retry-After` that is a date. */
  clock: Clock;
}

/** A response with a 2xx status. */
export interface OpenResponse {
  contentType: string;
  body: Readable;
}

const MAX_LIST_BYTES = 4 * 1024 * 1024;
const LIST_TIMEOUT_MS = 5000;

/** Sends requests to one server: for answers, to its chat completions endpoint, and for its list of models. */
export class ChatEndpoint {
  private readonly url: URL;
  private readonly headers: Record<string, string>;
  private usage: 'untried' | 'accepted' | 'refused';

  constructor(private readonly options: ChatEndpointOptions) {
    this.url = endpointUrl(options.baseUrl, 'chat/completions');
    this.headers = {
      ...{ 'content-type': 'application/json', accept: 'text/event-stream', 'accept-encoding': 'identity' },
      ...headersOf(options),
    };
    this.usage = options.streamOptions === 'off' ? 'refused' : 'untried';
  }

  /** Requests an answer. @throws {DomainError} where the server refuses or cannot be reached; or the reason of `deadline.signal`. */
  async open(
    wanted: ProviderRequest,
    deadline: RequestDeadline,
    failures: FailureReports,
  ): Promise<OpenResponse> {
    const asksForUsage = this.usage !== 'refused';
    const first = await this.ask(wanted, { deadline, failures, asksForUsage });
    if (!('status' in first)) {
      if (asksForUsage) this.usage = 'accepted';
      return first;
    }
    if (!asksForUsage || !this.mayBeForUsage(first)) throw failures.refused(first);
    const second = await this.ask(wanted, { deadline, failures, asksForUsage: false });
    if ('status' in second) throw failures.refused(isForUsage(first) ? second : first);
    this.usage = 'refused';
    return second;
  }

  /** Returns the names of the server's models; null where it has no list, or does not send it in time. */
  async listModels(requested: AbortSignal): Promise<string[] | null> {
    const signal = AbortSignal.any([requested, AbortSignal.timeout(LIST_TIMEOUT_MS)]);
    const url = endpointUrl(this.options.baseUrl, 'models');
    const headers = { accept: 'application/json', ...headersOf(this.options) };
    const { dispatcher } = this.options;
    try {
      const { statusCode, body } = await request(url, { headers, dispatcher, signal });
      const text = await firstBytes(
        body.on('error', () => {}),
        MAX_LIST_BYTES,
      );
      return statusCode === 200 ? modelsIn(text) : null;
    } catch {
      requested.throwIfAborted();
      return null;
    }
  }

  /** Whether the server may have refused because it does not know `stream_options`: once it took them, only if it says so. */
  private mayBeForUsage(refusal: Refusal): boolean {
    if (this.options.streamOptions === 'on' || (refusal.status !== 400 && refusal.status !== 422))
      return false;
    return this.usage === 'untried' || isForUsage(refusal);
  }

  /** Asks until the model is loaded: the deadline is for that, not the number of retries. */
  private async ask(wanted: ProviderRequest, asking: Asking): Promise<OpenResponse | Refusal> {
    const { deadline } = asking;
    for (;;) {
      const response = await this.askOnce(wanted, asking);
      if (!('status' in response) || !isLoading(response)) return response;
      await deadline.run(() => sleep(LOADING_RETRY_MS, deadline.signal));
    }
  }

  private async askOnce(
    wanted: ProviderRequest,
    { deadline, failures, asksForUsage }: Asking,
  ): Promise<OpenResponse | Refusal> {
    const response = await deadline.run(() => this.post(wanted, { deadline, failures, asksForUsage }));
    // An abort while nobody reads destroys the body: without a listener its 'error' event would end the process.
    response.body.on('error', () => {});
    const { statusCode: status, headers } = response;
    const body = await deadline.run(() => decodedBody(response.body, one(headers['content-encoding'])));
    if (status >= 200 && status < 300) return { contentType: one(headers['content-type']) ?? '', body };
    const wait = { ms: one(headers['retry-after-ms']), seconds: one(headers['retry-after']) };
    return {
      status,
      body: await deadline.run(() => firstBytes(body)),
      retryAfterMs: retryAfterMs(wait, this.options.clock.now()),
      hint: status === 404 || status === 405 ? pathHint(this.options.baseUrl) : undefined,
      location: one(headers['location']),
    };
  }

  private async post(
    wanted: ProviderRequest,
    { deadline: { signal }, failures, asksForUsage }: Asking,
  ): Promise<Dispatcher.ResponseData> {
    const fields = {
      ...{ model: wanted.model, messages: toChatMessages(wanted), stream: true },
      ...(asksForUsage && { stream_options: { include_usage: true } }),
      ...this.options.body,
    };
    const set = Object.entries(fields).filter(([, value]) => value !== null);
    const body = JSON.stringify(Object.fromEntries(set));
    const headers = { ...this.headers, ...tracingHeaders(wanted) };
    const { dispatcher } = this.options;
    try {
      return await request(this.url, { method: 'POST', headers, body, dispatcher, signal });
    } catch (error) {
      signal.throwIfAborted();
      throw failures.unreachable(error);
    }
  }
}

interface Asking {
  deadline: RequestDeadline;
  failures: FailureReports;
  asksForUsage: boolean;
}

/** Returns the URL of an endpoint below a base URL, whose query it keeps. */
function endpointUrl(baseUrl: string, path: string): URL {
  const url = new URL(baseUrl);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${path}`;
  return url;
}

/** Returns the headers that every request to a server has. */
function headersOf({ apiKey, headers }: RequestSettings): Record<string, string> {
  const own = {
    'user-agent': 'streamgate',
    ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
  };
  const further = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
  return { ...own, ...(Object.fromEntries(further) as Record<string, string>) };
}

/** Returns the likely cause of a 404 or 405: the whole endpoint was given, or not `/v1`, below which most servers have their API. */
function pathHint(baseUrl: string): string | undefined {
  const { pathname } = new URL(baseUrl);
  if (/\/completions\/*$/.test(pathname)) return 'LLM_BASE_URL must end before /chat/completions.';
  if (/\/v\d/.test(pathname)) return undefined;
  return 'LLM_BASE_URL does not end with /v1, as most servers want.';
}

/** Headers that tie the provider's log and trace to ours. */
function tracingHeaders({ context }: ProviderRequest): Record<string, string> {
  return context ? { traceparent: context.traceparent, 'x-request-id': context.id } : {};
}

/** Whether a strict server (Mistral, Azure) says that it does not know `stream_options`. */
function isForUsage({ body }: Refusal): boolean {
  return /stream_options|include_usage/.test(body);
}

/** Whether a server (llama.cpp, Hugging Face) says that it still loads its model. */
function isLoading({ status, body }: Refusal): boolean {
  return status === 503 && /\bloading\b/i.test(body);
}

/** Reads a list of models; null where it is none, or empty. */
function modelsIn(json: string): string[] | null {
  const list = parsed(json);
  const entries: unknown = isObject(list) ? list['data'] : undefined;
  const names = (Array.isArray(entries) ? (entries as unknown[]) : []).flatMap((entry) =>
    isObject(entry) && typeof entry['id'] === 'string' ? [entry['id']] : [],
  );
  return names.length === 0 ? null : names;
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

/** Reads the beginning of a body, also where the rest fails. */
async function firstBytes(body: Readable, maxBytes = MAX_REFUSAL_BYTES): Promise<string> {
  const parts: Buffer[] = [];
  let left = maxBytes;
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
