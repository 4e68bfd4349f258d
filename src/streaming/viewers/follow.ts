import { isTerminal, type Chunk } from '../../protocol/index.js';
import { LiveTail } from './live-tail.js';

/** Where the chunks of one stream come from. */
export interface ChunkSource {
  /** Chunks of the log from a position on, as many as make a page; none where it ends before. */
  read(fromSequence: number): Promise<readonly Chunk[]>;
  /** Hears chunks as they are written, after they are in the log: maybe late, twice, out of order or never. */
  listen(onChunk: (chunk: Chunk) => void): () => void;
  /** Called now and then while nothing is heard. @throws where this reader may read no more. */
  check(): Promise<void>;
  /** A read or check failed, and is tried again later. @throws `error` where that is of no use. */
  failed(error: unknown): void;
}

interface FollowOptions {
  /** Where to begin, inclusive. */
  fromSequence: number;
  /** Ends the following, at once. */
  signal: AbortSignal;
  /** How long to hear nothing before the log is asked, in milliseconds; up to eight times that while it has nothing. */
  pollMs?: number;
}

const POLL_MS = 1000;
const MAX_POLLS = 8;

/**
 * The one way in which a stream is read: its log after a position, then live, without gap or repeat, until its terminal
 * chunk. It listens first and reads then, so nothing is written unheard in between. A reader that falls behind goes on
 * from the log at its own pace. What was not heard (a relay that lost it) is found by asking the log now and then.
 */
export async function* follow(
  source: ChunkSource,
  { fromSequence, signal, pollMs = POLL_MS }: FollowOptions,
): AsyncGenerator<readonly Chunk[], void, undefined> {
  const tail = new LiveTail(fromSequence);
  const stopListening = source.listen((chunk) => tail.hear(chunk));
  const abort = (): void => tail.abort();
  signal.addEventListener('abort', abort);
  try {
    for (let patienceMs = pollMs, mustRead = true; !signal.aborted;) {
      const heard = tail.take();
      const chunks = heard.length === 0 && (mustRead || tail.hasGap) ? await readPage(source, tail) : heard;
      if (signal.aborted) return;
      const last = chunks.at(-1);
      if (last) {
        tail.moveTo(last.sequence + 1);
        yield chunks;
        if (isTerminal(last)) return;
        // Behind a page there may be another; behind what was heard there is only what will be heard.
        mustRead = heard.length === 0;
        patienceMs = pollMs;
      } else {
        mustRead = !tail.canTake && (await tail.wait(patienceMs)) === 'timeout';
        if (mustRead) patienceMs = Math.min(patienceMs * 2, pollMs * MAX_POLLS);
        if (mustRead) await attempt(source, () => source.check());
      }
    }
  } finally {
    signal.removeEventListener('abort', abort);
    stopListening();
  }
}

/** A page of the log; none where it could not be read just now. */
async function readPage(source: ChunkSource, tail: LiveTail): Promise<readonly Chunk[]> {
  return (await attempt(source, () => source.read(tail.position))) ?? [];
}

async function attempt<T>(source: ChunkSource, act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    source.failed(error);
    return undefined;
  }
}
