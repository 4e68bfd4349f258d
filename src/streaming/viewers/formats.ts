import type { Chunk } from '../../protocol/index.js';

/** How chunks are written to a viewer's response (protocol section 5). */
export interface Format {
  readonly contentType: string;
  /** Sent at once, so that the first byte does not wait for the provider. */
  readonly opening: () => string;
  readonly heartbeat: () => string;
  readonly frame: (chunk: Chunk) => string;
}

export type FormatName = 'sse' | 'http';

/** For EventSource: milliseconds before it comes back. */
const RETRY_MS = 2000;

const texts = new WeakMap<Chunk, string>();

/** A chunk's JSON, made once however many viewers there are; the same text as on a socket (P4). */
function chunkJson(chunk: Chunk): string {
  let text = texts.get(chunk);
  if (text === undefined) {
    text = JSON.stringify(chunk);
    texts.set(chunk, text);
  }
  return text;
}

function heartbeatLine(): string {
  return `${JSON.stringify({ type: 'heartbeat', timestamp: new Date().toISOString() })}\n`;
}

/** Server-sent events, and one JSON a line. */
export const FORMATS: Readonly<Record<FormatName, Format>> = {
  sse: {
    contentType: 'text/event-stream; charset=utf-8',
    opening: () => `: streamgate\nretry: ${RETRY_MS}\n\n`,
    heartbeat: () => ': heartbeat\n\n',
    // EventSource's own `error` event is about the connection: a chunk's must not look like it.
    frame: (chunk) =>
      `id: ${chunk.sequence}\nevent: ${chunk.type === 'error' ? 'failure' : chunk.type}\ndata: ${chunkJson(chunk)}\n\n`,
  },
  http: {
    contentType: 'application/x-ndjson; charset=utf-8',
    opening: heartbeatLine,
    heartbeat: heartbeatLine,
    frame: (chunk) => `${chunkJson(chunk)}\n`,
  },
};
