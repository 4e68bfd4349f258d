import { fetch as undiciFetch, type Agent, type RequestInit as UndiciRequestInit } from 'undici';
import { DomainError } from '../../common/domain-error.js';

/** Largest single event of a stream, and largest error response, that is read. */
const MAX_EVENT_BYTES = 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

/**
 * A `fetch` over `agent` that cannot be made to hold an event without end, or an error page without end, in memory (P7).
 * An event beyond 1 MiB raises `provider_error`; of an error response only the first 64 KiB are read.
 */
export function boundedFetch(agent: Agent): typeof globalThis.fetch {
  return async (url, init) => {
    // The package's fetch is the one inside Node in another version: same behaviour, nominally other types.
    const options = { ...init, dispatcher: agent } as UndiciRequestInit;
    const response = (await undiciFetch(url as string | URL, options)) as unknown as Response;
    if (!response.body) return response;
    const body = response.body.pipeThrough(response.ok ? boundedEvents() : firstBytes());
    const { status, statusText, headers } = response;
    return new Response(body, { status, statusText, headers: [...headers] });
  };
}

function boundedEvents(): TransformStream<Uint8Array, Uint8Array> {
  let pending = 0;
  return new TransformStream({
    transform(chunk, controller) {
      const end = endOfEvent(chunk);
      pending = end === -1 ? pending + chunk.length : chunk.length - end;
      if (pending > MAX_EVENT_BYTES) {
        throw new DomainError('provider_error', 'The provider sent an event without end.');
      }
      controller.enqueue(chunk);
    },
  });
}

/** Where the last empty line of `chunk` is, or -1. One that lies across two chunks is missed, which only makes the bound stricter. */
function endOfEvent(chunk: Uint8Array): number {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  return Math.max(bytes.lastIndexOf('\n\n'), bytes.lastIndexOf('\r\n\r\n'));
}

function firstBytes(): TransformStream<Uint8Array, Uint8Array> {
  let left = MAX_ERROR_BYTES;
  return new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) controller.terminate();
    },
  });
}
