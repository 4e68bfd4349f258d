import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { behave } from './llm-behaviour.js';

const DEADLINE_MS = 10_000;

/** A chat completion request as the server saw it. Times are `performance.now()` of this process. */
export interface SeenRequest {
  readonly path: string;
  /** The client's port, which tells connections apart. */
  readonly port: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: ChatBody;
  readonly receivedAt: number;
  /** Bytes of the answer that were written to the socket so far. */
  bytesWritten: number;
  lastWriteAt: number;
  /** When the answer ended or the client went away; undefined while it runs. */
  closedAt: number | undefined;
  /** Whether the client went away before the answer was complete. */
  aborted: boolean;
}

interface ChatBody {
  model: string;
  stream: boolean;
  stream_options?: { include_usage?: boolean };
  messages: { role: string; content: string; name?: string }[];
}

/** A real HTTP server with the streaming chat completions API, and faults on demand. */
export interface LlmServer {
  /** For `LLM_BASE_URL`. */
  readonly baseUrl: string;
  /** All requests, oldest first. */
  readonly requests: readonly SeenRequest[];
  /** Counts the answers that are being written. */
  openConnections(): number;
  /** Sets the behaviours (see `behave`) of the next requests, one each. Without one the model's name is the behaviour. */
  script(...behaviours: string[]): void;
  /** Waits for the request at `index`. Throws after 10 s. */
  waitForRequest(index: number): Promise<SeenRequest>;
  /** Waits until the request at `index` has ended, from either side. Throws after 10 s. */
  waitForClose(index: number): Promise<SeenRequest>;
  /** Waits until nothing was written for `quietMs`, since the reader does not read. Throws after 10 s. */
  waitForQuiet(index: number, quietMs: number): Promise<SeenRequest>;
  /** Ends all connections and the server. */
  close(): Promise<void>;
}

/** Starts an {@link LlmServer} on a free port of 127.0.0.1. Without `models` it has no list of them. */
export async function startLlmServer({ models }: { models?: string[] } = {}): Promise<LlmServer> {
  const requests: SeenRequest[] = [];
  const queue: string[] = [];
  const server = createServer((request, response) => {
    if (request.method === 'GET') return listModels(response, models);
    const abort = new AbortController();
    response.once('close', () => abort.abort());
    void readBody(request)
      .then((body) => {
        const seen = see(request, body);
        requests.push(seen);
        response.once('close', () => {
          seen.closedAt = performance.now();
          seen.aborted = !response.writableFinished;
        });
        const turn = {
          response,
          signal: abort.signal,
          messages: body.messages,
          question: body.messages.at(-1)?.content ?? '',
          authorization: request.headers.authorization ?? '',
          asksForUsage: body.stream_options?.include_usage === true,
          wrote: wrote(seen),
        };
        return behave(queue.shift() ?? body.model, turn);
      })
      .catch((error: unknown) => {
        if (!abort.signal.aborted) response.destroy(error as Error);
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const until = (index: number, reached: (seen: SeenRequest) => boolean): Promise<SeenRequest> =>
    waitUntil(
      () => (requests[index] && reached(requests[index]) ? requests[index] : undefined),
      `request ${index}`,
    );
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    openConnections: () => requests.filter((seen) => seen.closedAt === undefined).length,
    script: (...behaviours) => void queue.push(...behaviours),
    waitForRequest: (index) => until(index, () => true),
    waitForClose: (index) => until(index, (seen) => seen.closedAt !== undefined),
    waitForQuiet: (index, quietMs) => until(index, (seen) => performance.now() - seen.lastWriteAt >= quietMs),
    close: () => closeServer(server),
  };
}

function listModels(response: ServerResponse, models: string[] | undefined): void {
  response.writeHead(models ? 200 : 404, { 'content-type': 'application/json' });
  const list = { object: 'list', data: (models ?? []).map((id) => ({ id })) };
  response.end(JSON.stringify(models ? list : { detail: 'Not Found' }));
}

async function readBody(request: IncomingMessage): Promise<ChatBody> {
  let text = '';
  for await (const part of request.setEncoding('utf8')) text += part as string;
  return JSON.parse(text) as ChatBody;
}

function see(request: IncomingMessage, body: ChatBody): SeenRequest {
  const now = performance.now();
  return {
    path: request.url ?? '',
    port: request.socket.remotePort,
    headers: request.headers,
    body,
    receivedAt: now,
    bytesWritten: 0,
    lastWriteAt: now,
    closedAt: undefined,
    aborted: false,
  };
}

function wrote(seen: SeenRequest): (bytes: number) => void {
  return (bytes) => {
    seen.bytesWritten += bytes;
    seen.lastWriteAt = performance.now();
  };
}

async function waitUntil<T>(read: () => T | undefined, what: string): Promise<T> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const value = read();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`Waited ${DEADLINE_MS} ms for ${what}.`);
    await delay(5);
  }
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())));
}
