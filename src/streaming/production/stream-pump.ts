import { DomainError } from '../../common/domain-error.js';
import { LIMITS, type Usage } from '../../protocol/index.js';
import type { Delta } from '../../providers/provider.js';
import { Chunker, type Draft } from './chunker.js';
import type { StreamStats } from '../metrics/stream-metrics.js';
import type { StreamWriter } from './stream-writer.js';

interface PumpSizes {
  /** A chunk is cut at this many bytes, or this many milliseconds after its first delta. */
  chunkBytes: number;
  chunkDelayMs: number;
  /** Bytes that may wait for the log before reading from the provider stops. */
  bufferBytes: number;
}

/** How an answer ended at its provider. */
export interface PumpEnd {
  /** Null where the provider did not count. */
  usage: Usage | null;
  /** Why, other than by the natural end of the answer. */
  finishReason?: string;
}

/** Carries one answer from its provider to its writer, as chunks. */
export class StreamPump {
  private readonly chunker: Chunker;
  private due: NodeJS.Timeout | undefined;

  constructor(
    private readonly writer: StreamWriter,
    private readonly stats: StreamStats,
    private readonly sizes: PumpSizes,
  ) {
    this.chunker = new Chunker({ maxBytes: sizes.chunkBytes, maxDelayMs: sizes.chunkDelayMs });
  }

  /** Queues chunks for the log. */
  add(drafts: readonly Draft[]): void {
    for (const draft of drafts) {
      this.stats.onChunkCut();
      this.writer.add(draft);
    }
  }

  /** Reads `deltas` to their end, no faster than the log takes them; returns how they ended. */
  async run(deltas: AsyncIterable<Delta>, signal: AbortSignal): Promise<PumpEnd> {
    const { chunker, writer, sizes } = this;
    let end: PumpEnd = { usage: null };
    let length = 0;
    for await (const delta of deltas) {
      signal.throwIfAborted();
      if (delta.type === 'finish') {
        const usage = delta.usage && { ...delta.usage, source: 'provider' as const };
        end = { usage, ...(delta.reason !== undefined && { finishReason: delta.reason }) };
        break;
      }
      length += delta.text.length;
      if (length > LIMITS.answerChars) throw tooLong();
      this.add(chunker.push(delta.type, delta.text, performance.now()));
      this.armTimer();
      while (writer.buffered > sizes.bufferBytes) await writer.progress(signal);
    }
    signal.throwIfAborted();
    this.flush();
    return end;
  }

  /** Adds the pending text as a chunk. */
  flush(): void {
    this.add(this.chunker.flush());
  }

  /** Stops the timer that adds due text. */
  stop(): void {
    clearTimeout(this.due);
  }

  /** One timer serves many deltas: where the text it was armed for was cut by size, it is armed again for what is pending. */
  private armTimer(): void {
    const { dueAt } = this.chunker;
    if (this.due !== undefined || dueAt === null) return;
    this.due = setTimeout(
      () => {
        this.due = undefined;
        this.add(this.chunker.cutDue(performance.now()));
        this.armTimer();
      },
      Math.max(0, dueAt - performance.now()),
    );
  }
}

function tooLong(): DomainError {
  const message = `The answer is longer than ${LIMITS.answerChars} characters, the limit for a message. The provider may not be stopping.`;
  return new DomainError('provider_error', message, { retryable: false });
}
