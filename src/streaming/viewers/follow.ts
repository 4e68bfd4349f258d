import { isTerminal, type Chunk } from '../../protocol/index.js';
import { LiveTail } from './live-tail.js';

/** The log of one stream and its live chunks. */
export interface ChunkSource {
  /** Reads a page of the log from a position on; empty where the log ends before it. */
  read(fromSequence: number): Promise<readonly Chunk[]>;
  /** Subscribes to chunks that are in the log: they may arrive late, twice, out of order or never. Returns the unsubscribe. */
  listen(onChunk: (chunk: Chunk) => void): () => void;
  /** Called at each poll while nothing arrives. @throws where this reader may no longer read. */
  check(): Promise<void>;
  /** Called when a read or check failed; it is tried again later. @throws `error` where a retry cannot help. */
  onFailure(error: unknown): void;
}

interface FollowOptions {
  /** First sequence to read. */
  fromSequence: number;
  /** Ends it at once. */
  signal: AbortSignal;
  /** Milliseconds without a live chunk before the log is polled; doubles up to eight times that while the log has nothing. */
  pollMs?: number;
}

const POLL_MS = 1000;
const MAX_BACKOFF = 8;

/**
 * Reads a stream: its log from a position on, then live, without gap or repeat, until its terminal chunk. All reads of a
 * stream over HTTP use it. It listens before it reads, so that no chunk is missed in between. A reader that falls behind
 * continues from the log at its own pace. Chunks that the relay lost are found by polling the log.
 *
 * @example
 * for await (const chunks of follow(source, { fromSequence: 0, signal })) {
 *   for (const chunk of chunks) response.write(format.frame(chunk));
 * }
 * // the terminal chunk was read, or `signal` was aborted
 */
export async function* follow(
  source: ChunkSource,
  { fromSequence, signal, pollMs = POLL_MS }: FollowOptions,
): AsyncGenerator<readonly Chunk[], void, undefined> {
  const tail = new LiveTail(fromSequence);
  const stopListening = source.listen((chunk) => tail.receive(chunk));
  const abort = (): void => tail.abort();
  signal.addEventListener('abort', abort);
  try {
    for (let waitMs = pollMs, mustRead = true; !signal.aborted;) {
      const live = tail.consume();
      const chunks = live.length === 0 && (mustRead || tail.hasGap) ? await readPage(source, tail) : live;
      if (signal.aborted) return;
      const last = chunks.at(-1);
      if (last) {
        tail.moveTo(last.sequence + 1);
        yield chunks;
        if (isTerminal(last)) return;
        // After a page there may be another one. After live chunks the next ones arrive live.
        mustRead = live.length === 0;
        waitMs = pollMs;
      } else {
        mustRead = !tail.canConsume && (await tail.wait(waitMs)) === 'timeout';
        if (mustRead) waitMs = Math.min(waitMs * 2, pollMs * MAX_BACKOFF);
        if (mustRead) await attempt(source, () => source.check());
      }
    }
  } finally {
    signal.removeEventListener('abort', abort);
    stopListening();
  }
}

/** Reads a page of the log; empty where the read failed. */
async function readPage(source: ChunkSource, tail: LiveTail): Promise<readonly Chunk[]> {
  return (await attempt(source, () => source.read(tail.position))) ?? [];
}

async function attempt<T>(source: ChunkSource, act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    source.onFailure(error);
    return undefined;
  }
}
