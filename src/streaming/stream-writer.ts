import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Chunk } from '../protocol/index.js';
import type { ChunkLogStore, LoggedDraft } from './chunk-log.store.js';
import type { Draft } from './chunker.js';
import { toChunk } from './stream.rows.js';

interface WriterOptions {
  streamId: string;
  epoch: number;
  log: Pick<ChunkLogStore, 'append' | 'position'>;
  /** Sequence of the first chunk to write. */
  nextSequence: number;
  /** Called for each chunk once it is in the log, in order (P4). */
  onLogged: (chunk: Chunk) => void;
  /** How long to go on trying while the database is away, in milliseconds. */
  patienceMs: number;
  /** UTF-8 bytes, about, of written chunks that are kept to be written again after PostgreSQL lost them. */
  keepBytes: number;
}

/** The database says that this writer's epoch is over or its stream has ended: it must write no more. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
}

const RETRY_MS = 200;
const PAUSED_POLL_MS = 500;
const MAX_APPEND_CHUNKS = 64;

/**
 * Writes one stream's chunks: one append at a time; what is added meanwhile is the next one. An append is tried again
 * while the database is away. When the fence refuses one at an unchanged epoch, the log's position tells why: it is in
 * already (its answer was lost), the stream is paused, or PostgreSQL crashed and lost the log's end.
 */
export class StreamWriter {
  private readonly pending: LoggedDraft[] = [];
  private readonly kept: LoggedDraft[] = [];
  private readonly stopping = new AbortController();
  private pendingBytes = 0;
  private keptBytes = 0;
  private next: number;
  private failure: unknown;
  private working: Promise<void> | undefined;
  private readonly steps = new EventEmitter();

  constructor(private readonly options: WriterOptions) {
    this.next = options.nextSequence;
  }

  /** UTF-16 code units that are not in the log yet. */
  get buffered(): number {
    return this.pendingBytes;
  }

  /** Sequence of the last chunk that was added. */
  get lastSequence(): number {
    return this.next - 1;
  }

  /** Puts a chunk in line for the log. */
  add(draft: Draft): void {
    if (this.failure !== undefined) return;
    this.pending.push({ ...draft, sequence: this.next });
    this.next += 1;
    this.pendingBytes += draft.content.length;
    this.working ??= this.work();
  }

  /** Resolves after the append that is under way. @throws what ended the writer. */
  async progress(): Promise<void> {
    if (this.working) await once(this.steps, 'step');
    if (this.failure !== undefined) throw this.failure;
  }

  /** Resolves when all that was added is in the log. @throws {FencedError} or the database's error, for good. */
  async flushed(): Promise<void> {
    await this.working;
    if (this.failure !== undefined) throw this.failure;
  }

  /** Writes no more. An append that is under way ends in the log or at the fence. */
  stop(): void {
    this.stopping.abort();
  }

  private async work(): Promise<void> {
    try {
      while (this.pending.length > 0) await this.appendNext();
    } catch (error) {
      this.failure = error;
      this.pending.length = 0;
    }
    this.working = undefined;
    this.steps.emit('step');
  }

  private async appendNext(): Promise<void> {
    const chunks = this.pending.slice(0, MAX_APPEND_CHUNKS);
    const time = await this.append(chunks);
    this.pending.splice(0, chunks.length);
    for (const draft of chunks) {
      this.pendingBytes -= draft.content.length;
      this.keep(draft);
      this.options.onLogged(toLogged(this.options.streamId, draft, time));
    }
    this.steps.emit('step');
  }

  private async append(chunks: readonly LoggedDraft[]): Promise<Date> {
    const { streamId, epoch, log, patienceMs } = this.options;
    let giveUpAt = Date.now() + patienceMs;
    let writing = chunks;
    for (;;) {
      this.stopping.signal.throwIfAborted();
      try {
        const time = await log.append({ streamId, epoch, chunks: writing });
        if (time) return time;
        const position = await this.ownPosition();
        if (position.paused) {
          await delay(PAUSED_POLL_MS, undefined, { signal: this.stopping.signal });
          giveUpAt = Date.now() + patienceMs;
        } else if (position.lastSequence >= (writing.at(-1)?.sequence ?? 0)) {
          return position.lastChunkAt;
        } else {
          writing = this.from(position.lastSequence + 1, chunks);
        }
      } catch (error) {
        if (error instanceof FencedError || this.stopping.signal.aborted || Date.now() >= giveUpAt)
          throw error;
        await delay(RETRY_MS, undefined, { signal: this.stopping.signal });
      }
    }
  }

  private async ownPosition() {
    const { streamId, epoch, log } = this.options;
    const position = await log.position(streamId);
    if (position && position.epoch === epoch && !position.ended) return position;
    throw new FencedError(`stream ${streamId} is not at epoch ${epoch} any more`);
  }

  /** `chunks` with what stands before them from `sequence` on, as far as it is kept. */
  private from(sequence: number, chunks: readonly LoggedDraft[]): LoggedDraft[] {
    const lost = this.kept.filter((draft) => draft.sequence >= sequence);
    const rest = chunks.filter((draft) => draft.sequence >= sequence);
    if ((lost[0] ?? rest[0])?.sequence === sequence) return [...lost, ...rest];
    throw new FencedError(`the log lost more of stream ${this.options.streamId} than was kept in memory`);
  }

  private keep(draft: LoggedDraft): void {
    this.kept.push(draft);
    this.keptBytes += draft.content.length;
    while (this.keptBytes > this.options.keepBytes && this.kept.length > 1) {
      this.keptBytes -= this.kept.shift()?.content.length ?? 0;
    }
  }
}

function toLogged(streamId: string, draft: LoggedDraft, time: Date): Chunk {
  const { sequence, type, content, metadata = null } = draft;
  return toChunk({ stream_id: streamId, sequence, type, content, metadata, created_at: time });
}
