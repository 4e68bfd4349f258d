import type { Chunk } from '../../protocol/index.js';

/** Writes chunks to a viewer's response (protocol section 5). */
export interface Format {
  readonly contentType: string;
  /** Sent at once: the first byte must not wait for the provider. */
  readonly opening: () => string;
  readonly heartbeat: () => string;
  readonly frame: (chunk: Chunk) => string;
}

export type FormatName = 'sse' | 'http';

/** Milliseconds after which an EventSource reconnects. */
const RETRY_MS = 2000;

const texts = new WeakMap<Chunk, string>();

/** Returns a chunk's JSON, serialized once for all viewers; the same text as on a socket (P4). */
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

/** Server-sent events, and NDJSON: one JSON value per line. */
export const FORMATS: Readonly<Record<FormatName, Format>> = {
  sse: {
    contentType: 'text/event-stream; charset=utf-8',
    opening: () => `: streamgate\nretry: ${RETRY_MS}\n\n`,
    heartbeat: () => ': heartbeat\n\n',
    // EventSource has its own `error` event, about the connection: a chunk must not look like it.
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
