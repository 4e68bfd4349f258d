import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { contextOf } from '../../platform/http/request-context.middleware.js';
import type { RequestContext } from '../../platform/tracing/request-context.js';
import type { Chunk } from '../../protocol/index.js';
import { FORMATS, type Format, type FormatName } from './formats.js';

/** Longest time in which a client may take not one byte of what waits for it, in milliseconds; then it is cut, and may come back. */
const STALL_MS = 120_000;
const PIECE_CHARS = 16_384;

/** One SSE or NDJSON response that reads a stream. It holds what it is writing and nothing more (P7). */
export class Viewer {
  private readonly leaving = new AbortController();
  private readonly format: Format;

  /** Make it before the first await of a request: a client that leaves early must be noticed. */
  constructor(
    private readonly response: ServerResponse,
    readonly transport: FormatName,
  ) {
    this.format = FORMATS[transport];
    // The listener's own time for unread answers is shorter: a phone that sleeps for a minute goes on reading.
    response.setTimeout(STALL_MS);
    response.once('close', () => this.leaving.abort());
    if (response.closed || response.destroyed) this.leaving.abort();
  }

  /** The request that it answers. */
  get work(): RequestContext {
    return contextOf(this.response);
  }

  /** Aborted when the client has gone, or was told to go. */
  get signal(): AbortSignal {
    return this.leaving.signal;
  }

  /** Ends it without a terminal chunk: the client may come back and go on. Resolves when all is sent or the client is gone. */
  async leave(): Promise<void> {
    this.leaving.abort();
    if (!this.response.closed) await once(this.response, 'close');
  }

  /** Cuts the connection: an EventSource comes back by itself, as it would not after an error status. */
  cut(): void {
    this.response.destroy();
  }

  /** Says that there is nothing to read: 204 ends an EventSource for good. */
  answerNothing(streamId: string): void {
    this.writeHead(streamId, this.transport === 'sse' ? 204 : 200);
    this.response.end();
  }

  /** Writes `chunks` as they come, as fast as the client takes them, and a heartbeat every `heartbeatMs`. */
  async show(streamId: string, chunks: AsyncIterable<readonly Chunk[]>, heartbeatMs: number): Promise<void> {
    const { response, format } = this;
    this.writeHead(streamId, 200);
    if (response.req.method === 'HEAD') return void response.end();
    response.write(format.opening());
    // Who does not read is not told that we are alive: it would only pile up.
    const beat = (): unknown => response.writableNeedDrain || response.write(format.heartbeat());
    const heartbeat = setInterval(beat, heartbeatMs);
    try {
      for await (const batch of chunks) await this.write(batch.map(format.frame));
    } finally {
      clearInterval(heartbeat);
      if (!response.closed) response.end();
    }
  }

  private writeHead(streamId: string, status: number): void {
    this.response.writeHead(status, {
      ...(status !== 204 && { 'Content-Type': this.format.contentType }),
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
      'X-Stream-Id': streamId,
    });
  }

  /** In pieces, so that a slow client that reads at all is not taken for one that does not. */
  private async write(frames: readonly string[]): Promise<void> {
    let piece = '';
    for (const [index, frame] of frames.entries()) {
      piece += frame;
      if (piece.length < PIECE_CHARS && index < frames.length - 1) continue;
      if (this.signal.aborted) return;
      if (!this.response.write(piece)) await this.drained();
      piece = '';
    }
  }

  /** Resolves when the client has taken what was written, or has gone. */
  private drained(): Promise<void> {
    const { response, signal } = this;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(stalled);
        response.off('drain', done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const stalled = setTimeout(() => response.destroy(), STALL_MS);
      response.on('drain', done);
      signal.addEventListener('abort', done);
    });
  }
}
