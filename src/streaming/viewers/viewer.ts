import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { contextOf } from '../../platform/http/request-context.middleware.js';
import type { RequestContext } from '../../platform/tracing/request-context.js';
import { isTerminal, type Chunk } from '../../protocol/index.js';
import { FORMATS, type Format, type FormatName } from './formats.js';

/** How long a client may take not one byte of waiting data, in milliseconds; then it is cut, and may reconnect. */
const STALL_MS = 120_000;
const PIECE_CHARS = 16_384;

interface ViewerOptions {
  transport: FormatName;
  /** Interval of heartbeats, in milliseconds. */
  heartbeatMs: number;
}

/** One SSE or NDJSON response that reads a stream. It holds only what it is writing (P7). */
export class Viewer {
  readonly transport: FormatName;
  private readonly leaving = new AbortController();
  private readonly format: Format;
  private readonly heartbeatMs: number;

  /** Create it before the first await of a request, so that a client that leaves early is noticed. */
  constructor(
    private readonly response: ServerResponse,
    { transport, heartbeatMs }: ViewerOptions,
  ) {
    this.transport = transport;
    this.format = FORMATS[transport];
    this.heartbeatMs = heartbeatMs;
    // The listener's own timeout is shorter. A phone that sleeps for a minute must be able to continue.
    response.setTimeout(STALL_MS);
    response.once('close', () => this.leaving.abort());
    if (response.closed || response.destroyed) this.leaving.abort();
  }

  /** Context of the request. */
  get context(): RequestContext {
    return contextOf(this.response);
  }

  /** Aborted when the client has left, or must leave. */
  get signal(): AbortSignal {
    return this.leaving.signal;
  }

  /** Cuts the response once what was written is sent, so that the client reconnects. Resolves when the connection is closed. */
  async leave(): Promise<void> {
    this.leaving.abort();
    if (!this.response.closed) await once(this.response, 'close');
  }

  /** Cuts the connection: an EventSource reconnects by itself then, but not after an error status. */
  cut(): void {
    this.response.destroy();
  }

  /** Responds that there is nothing left to read: 204 stops an EventSource for good. */
  endEmpty(streamId: string): void {
    this.writeHead(streamId, this.transport === 'sse' ? 204 : 200);
    this.response.end();
  }

  /**
   * Writes `chunks` as they come, as fast as the client takes them, with heartbeats. Without a terminal chunk the connection is
   * cut: the response must not look complete (P12).
   */
  async show(streamId: string, chunks: AsyncIterable<readonly Chunk[]>): Promise<void> {
    const { response, format } = this;
    this.writeHead(streamId, 200);
    if (response.req.method === 'HEAD') return void response.end();
    response.write(format.opening());
    // A client that does not read gets no heartbeats: they would pile up.
    const beat = (): unknown => response.writableNeedDrain || response.write(format.heartbeat());
    const heartbeat = setInterval(beat, this.heartbeatMs);
    let isComplete = false;
    try {
      for await (const batch of chunks) {
        const isWritten = await this.write(batch.map(format.frame));
        isComplete = isWritten && batch.some(isTerminal);
      }
    } finally {
      clearInterval(heartbeat);
      if (isComplete) response.end();
      else this.cutWhenSent();
    }
  }

  /** Cuts the connection after what was written. Over HTTP/1.0 only a reset shows that something is missing. */
  private cutWhenSent(): void {
    const { req, socket } = this.response;
    if (!socket || socket.destroyed) return;
    if (req.httpVersion === '1.0' && !('encrypted' in socket))
      socket.write('', () => socket.resetAndDestroy());
    else socket.destroySoon();
  }

  private writeHead(streamId: string, status: number): void {
    this.response.writeHead(status, {
      ...(status !== 204 && { 'Content-Type': this.format.contentType }),
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
      'X-Stream-Id': streamId,
    });
  }

  /**
   * Writes in pieces, so that a client that reads slowly is not cut as one that does not read. Returns whether all was written.
   */
  private async write(frames: readonly string[]): Promise<boolean> {
    let piece = '';
    for (const [index, frame] of frames.entries()) {
      piece += frame;
      if (piece.length < PIECE_CHARS && index < frames.length - 1) continue;
      if (this.signal.aborted) return false;
      if (!this.response.write(piece)) await this.drained();
      piece = '';
    }
    return true;
  }

  /** Resolves when the client has taken what was written, or has left. */
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
