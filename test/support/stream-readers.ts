import { createHash } from 'node:crypto';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Chunk, TerminalMetadata } from '../../src/protocol/index.js';
import { isTerminal } from '../../src/protocol/index.js';
import { tokenFor } from './client.js';

const DEADLINE_MS = 60_000;

export interface Asked {
  method?: 'GET' | 'POST' | 'HEAD';
  token: string;
  body?: object;
  headers?: Record<string, string>;
}

/** An HTTP response that is read as it comes, and can be cut as a lost network cuts it. */
export class StreamResponse {
  /** All that came so far, but for comments and heartbeats: one JSON text of a chunk each. */
  readonly lines: string[] = [];
  /** `id:` of each SSE event. */
  readonly ids: string[] = [];
  /** `event:` of each SSE event. */
  readonly events: string[] = [];
  text = '';
  ended = false;
  private rest = '';

  private constructor(
    private readonly outgoing: ClientRequest,
    readonly incoming: IncomingMessage,
    private readonly isSse: boolean,
  ) {
    incoming.setEncoding('utf8').on('data', (part: string) => this.take(part));
    incoming.on('end', () => (this.ended = true));
    // A cut connection is an error of the response; whoever waits sees `closed`.
    incoming.on('error', () => {});
  }

  /** Resolves with the headers: what comes is read at once unless `paused`. */
  static open(url: string, { method = 'GET', token, body, headers = {} }: Asked): Promise<StreamResponse> {
    return new Promise((resolve, reject) => {
      const outgoing = request(url, {
        ...{ method, agent: false },
        headers: {
          ...{ authorization: `Bearer ${token}`, ...headers },
          ...(body && { 'content-type': 'application/json' }),
        },
      });
      outgoing.on('error', reject);
      outgoing.on('response', (incoming) => {
        resolve(new StreamResponse(outgoing, incoming, new URL(url).pathname.endsWith('/sse')));
      });
      outgoing.end(body && JSON.stringify(body));
    });
  }

  get status(): number | undefined {
    return this.incoming.statusCode;
  }

  get streamId(): string {
    return String(this.incoming.headers['x-stream-id']);
  }

  get chunks(): Chunk[] {
    return this.lines.map((line) => JSON.parse(line) as Chunk);
  }

  /** Destroys the connection. */
  cut(): void {
    this.outgoing.destroy();
  }

  /** Resolves when the response has ended or was cut. */
  async closed(): Promise<void> {
    if (!this.incoming.closed) await this.event('close');
  }

  /** Resolves when `reached` holds, looked at whenever something came. @throws after 60 s, and when it closes before. */
  async until(reached: () => boolean): Promise<void> {
    while (!reached()) {
      if (this.incoming.closed)
        throw new Error(`the response closed after ${this.lines.length} chunks: ${this.text}`);
      await this.event('data', 'close');
    }
  }

  private event(...names: string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        for (const name of names) this.incoming.off(name, done);
        resolve();
      };
      const timer = setTimeout(
        () => reject(new Error(`no ${names.join(', ')} in time: ${this.text.slice(-200)}`)),
        DEADLINE_MS,
      );
      for (const name of names) this.incoming.once(name, done);
    });
  }

  private take(part: string): void {
    this.text += part;
    const blocks = (this.rest + part).split(this.isSse ? '\n\n' : '\n');
    this.rest = blocks.pop() ?? '';
    for (const block of blocks) {
      if (this.isSse) this.takeEvent(block);
      else if (!block.startsWith('{"type":"heartbeat"')) this.lines.push(block);
    }
  }

  private takeEvent(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
    );
    const data = fields.get('data');
    if (data === undefined) return;
    this.lines.push(data);
    this.ids.push(fields.get('id') ?? '');
    this.events.push(fields.get('event') ?? '');
  }
}

/** The text of an answer, after a look that its chunks have no hole, one end, and the hash that the end says. */
export function answerOf(chunks: readonly Chunk[]): string {
  chunks.forEach(({ sequence }, index) => {
    if (sequence !== index) throw new Error(`chunk ${sequence} stands at ${index}`);
  });
  const ends = chunks.filter(isTerminal);
  const last = chunks.at(-1);
  if (ends.length !== 1 || !last || !isTerminal(last))
    throw new Error(`${ends.length} ends, last ${last?.type}`);
  const text = chunks.filter(({ type }) => type === 'content').map(({ content }) => content);
  const { sha256, contentChunks } = last.metadata as unknown as TerminalMetadata;
  const digest = createHash('sha256').update(text.join('')).digest('hex');
  if (digest !== sha256 || contentChunks !== text.length)
    throw new Error(`the end says ${sha256}, the text is ${digest}`);
  return text.join('');
}

interface JsonResponse<T> {
  status: number;
  body: T;
  headers: Headers;
}

/** A user of the HTTP routes. */
export class HttpUser {
  private constructor(
    private readonly url: string,
    readonly token: string,
  ) {}

  static async of(url: string, userId: string, claims: Record<string, unknown> = {}): Promise<HttpUser> {
    return new HttpUser(url, await tokenFor(userId, claims));
  }

  /** A response of JSON, or without a body. */
  async json<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: object,
  ): Promise<JsonResponse<T>> {
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed = (text ? JSON.parse(text) : {}) as T;
    return { status: response.status, body: parsed, headers: response.headers };
  }

  /** Creates a conversation of one's own. */
  async conversation(id: string): Promise<string> {
    const { status } = await this.json('POST', '/api/conversations', { id });
    if (status !== 201) throw new Error(`creating ${id} gave ${status}`);
    return id;
  }

  /** Asks, and reads the answer. */
  ask(format: 'sse' | 'http', body: object, headers: Record<string, string> = {}): Promise<StreamResponse> {
    return StreamResponse.open(`${this.url}/api/ws/stream/${format}`, {
      method: 'POST',
      token: this.token,
      body,
      headers,
    });
  }

  /** Reads a stream from a position on. */
  attach(
    format: 'sse' | 'http',
    streamId: string,
    { from, lastEventId }: { from?: number | string; lastEventId?: number | string } = {},
  ): Promise<StreamResponse> {
    const query = from === undefined ? '' : `?fromSequence=${from}`;
    const headers = lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) };
    return StreamResponse.open(`${this.url}/api/ws/stream/${streamId}/${format}${query}`, {
      token: this.token,
      headers,
    });
  }
}
