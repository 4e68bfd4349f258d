import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Chunk } from '../../protocol/index.js';
import type { ChunkLogStore, LoggedDraft, LogPosition } from '../log/chunk-log.store.js';
import type { Draft } from './chunker.js';
import type { PauseGate } from './pause-gate.js';
import { toChunk } from '../log/stream.rows.js';

interface WriterOptions {
  streamId: string;
  epoch: number;
  log: Pick<ChunkLogStore, 'append' | 'position'>;
  /** Sequence of the first chunk to write. */
  nextSequence: number;
  gate: PauseGate;
  /** Called once for each chunk, in order: when it is in the log (P4), or before that with `showFirst`. */
  onShown: (chunk: Chunk) => void;
  /** Shows chunks before they are in the log (`STREAM_DURABILITY=memory`), but not while the stream is paused. */
  showFirst: boolean;
  /** Called once when the writer fails and writes nothing more: see {@link StreamWriter.fault}. */
  onFailed: () => void;
  /** How long to retry an append while the database is away, in milliseconds. */
  retryForMs: number;
  /** Approximate bytes of written chunks to keep, for writing them again after PostgreSQL lost them. */
  keepBytes: number;
}

/** This writer's epoch is over, or its stream has ended: it must write nothing more. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
}

const RETRY_MS = 200;
/** Created once: every writer is stopped in the end, and an error's stack trace costs more than a chunk. */
const STOPPED = new DOMException('The writer was stopped.', 'AbortError');
const MAX_APPEND_CHUNKS = 64;
/** Approximate memory of a chunk besides its text: many tiny chunks take space too. */
const CHUNK_BYTES = 128;

/**
 * Writes one stream's chunks to the log, with one append at a time; chunks that are added meanwhile form the next one. An
 * append is retried while the database is away. When the fence refuses an append at an unchanged epoch, the log's position
 * shows why: the chunks are stored already (the result was lost), the stream is paused, or PostgreSQL crashed and lost the
 * end of the log.
 *
 * @example
 * const writer = new StreamWriter({ streamId, epoch, log, nextSequence: 0, gate, onShown, ...options });
 * writer.add({ type: 'content', content: 'Hello' });
 * await writer.flushed(); // it is in the log, and `onShown` was called
 */
export class StreamWriter {
  private readonly pending: LoggedDraft[] = [];
  private readonly kept: LoggedDraft[] = [];
  private readonly stopping = new AbortController();
  private readonly appended = new EventEmitter();
  private pendingBytes = 0;
  private keptBytes = 0;
  private next: number;
  /** Sequence of the first chunk that is not shown yet. */
  private unshown: number;
  private failure: unknown;
  private running: Promise<void> | undefined;

  constructor(private readonly options: WriterOptions) {
    this.next = options.nextSequence;
    this.unshown = options.nextSequence;
  }

  /** Approximate bytes that are not in the log yet. */
  get buffered(): number {
    return this.pendingBytes;
  }

  /** The error that ended this writer; undefined while it can write. */
  get fault(): unknown {
    return this.failure;
  }

  /** Sequence of the last added chunk. */
  get lastSequence(): number {
    return this.next - 1;
  }

  /** Queues a chunk for the log. */
  add(chunk: Draft): void {
    if (this.failure !== undefined) return;
    const draft = { ...chunk, sequence: this.next };
    this.next += 1;
    this.pendingBytes += sizeOf(draft);
    this.pending.push(this.showAtOnce(draft));
    this.running ??= this.appendAll();
  }

  /** Resolves after the running append. @throws the writer's fault, or an `AbortError` when `signal` is aborted. */
  async progress(signal: AbortSignal): Promise<void> {
    if (this.running) await once(this.appended, 'append', { signal });
    if (this.failure !== undefined) throw this.failure;
  }

  /** Resolves when everything that was added is in the log. @throws {FencedError}, or the database's error; both are final. */
  async flushed(): Promise<void> {
    await this.running;
    if (this.failure !== undefined) throw this.failure;
  }

  /** Resolves when no append is running: after {@link stop}, with the result of the last one. Never rejects. */
  async quiet(): Promise<void> {
    await this.running;
  }

  /**
   * Restores the log where it is not as this writer left it: waits while the stream is paused, and writes again what
   * PostgreSQL lost. @throws {FencedError}, or the database's error.
   */
  async restore(): Promise<void> {
    const position = await this.ownPosition();
    await this.options.gate.opened(this.stopping.signal);
    if (position.lastSequence < this.lastSequence)
      await this.append(this.from(position.lastSequence + 1, []));
  }

  /** Stops writing. A running append still ends in the log or at the fence. */
  stop(): void {
    this.stopping.abort(STOPPED);
  }

  private async appendAll(): Promise<void> {
    try {
      while (this.pending.length > 0) await this.appendNext();
    } catch (error) {
      this.failure = error;
      this.pending.length = 0;
      this.options.onFailed();
    }
    this.running = undefined;
    this.appended.emit('append');
  }

  private async appendNext(): Promise<void> {
    const chunks = this.pending.slice(0, MAX_APPEND_CHUNKS);
    const time = await this.append(chunks);
    this.pending.splice(0, chunks.length);
    for (const draft of chunks) {
      this.pendingBytes -= sizeOf(draft);
      const logged = { ...draft, at: draft.at ?? time };
      this.keep(logged);
      if (draft.sequence >= this.unshown) this.show(logged);
    }
    this.appended.emit('append');
  }

  private async append(chunks: readonly LoggedDraft[]): Promise<Date> {
    const { streamId, epoch, log, gate, retryForMs } = this.options;
    let giveUpAt = performance.now() + retryForMs;
    let writing = chunks;
    for (;;) {
      if (gate.paused) {
        await gate.opened(this.stopping.signal);
        giveUpAt = performance.now() + retryForMs;
      }
      this.stopping.signal.throwIfAborted();
      try {
        const time = await log.append({ streamId, epoch, chunks: writing });
        if (time) return time;
        const position = await this.ownPosition();
        if (position.lastSequence >= (writing.at(-1)?.sequence ?? 0)) return position.lastChunkAt;
        if (!gate.paused) writing = this.from(position.lastSequence + 1, chunks);
      } catch (error) {
        if (error instanceof FencedError || performance.now() >= giveUpAt) throw error;
        await delay(RETRY_MS, undefined, { signal: this.stopping.signal });
      }
    }
  }

  private async ownPosition(): Promise<LogPosition> {
    const { streamId, epoch, log, gate } = this.options;
    const position = await log.position(streamId);
    if (!position || position.epoch !== epoch || position.ended) {
      throw new FencedError(`stream ${streamId} is no longer at epoch ${epoch}`);
    }
    gate.apply(position);
    return position;
  }

  /** Returns the chunks that the log needs from `sequence` on: the kept ones, then `chunks`. */
  private from(sequence: number, chunks: readonly LoggedDraft[]): LoggedDraft[] {
    const lost = this.kept.filter((draft) => draft.sequence >= sequence);
    const rest = chunks.filter((draft) => draft.sequence >= sequence);
    if ((lost[0] ?? rest[0])?.sequence === sequence) return [...lost, ...rest];
    throw new FencedError(`the log lost more of stream ${this.options.streamId} than was kept in memory`);
  }

  private keep(draft: LoggedDraft): void {
    this.kept.push(draft);
    this.keptBytes += sizeOf(draft);
    while (this.keptBytes > this.options.keepBytes && this.kept.length > 1) {
      const [oldest] = this.kept.splice(0, 1);
      if (oldest) this.keptBytes -= sizeOf(oldest);
    }
  }

  /** Shows a chunk before it is in the log, if it follows the last one shown: chunks are shown in order. */
  private showAtOnce(draft: LoggedDraft): LoggedDraft {
    const { showFirst, gate } = this.options;
    if (!showFirst || gate.paused || draft.sequence !== this.unshown) return draft;
    const shown = { ...draft, at: new Date() };
    this.show(shown);
    return shown;
  }

  private show({ sequence, type, content, metadata, at }: LoggedDraft & { at: Date }): void {
    this.unshown = sequence + 1;
    const { streamId, onShown } = this.options;
    onShown(toChunk({ streamId, sequence, type, content, metadata: metadata ?? null, createdAt: at }));
  }
}

function sizeOf({ content }: LoggedDraft): number {
  return content.length + CHUNK_BYTES;
}
