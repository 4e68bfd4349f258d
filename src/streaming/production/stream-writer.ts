import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Chunk } from '../../protocol/index.js';
import type { ChunkLogStore, LoggedDraft, LogPosition } from '../log/chunk-log.store.js';
import type { Draft } from './chunker.js';
import type { PauseGate } from '../control/pause-gate.js';
import { toChunk } from '../log/stream.rows.js';

interface WriterOptions {
  streamId: string;
  epoch: number;
  log: Pick<ChunkLogStore, 'append' | 'position'>;
  /** Sequence of the first chunk to write. */
  nextSequence: number;
  gate: PauseGate;
  /** Called for each chunk once, in order: when it is in the log (P4), or before with `showFirst`. */
  onShown: (chunk: Chunk) => void;
  /** Shows chunks before they are in the log (`STREAM_DURABILITY=memory`), but not while the stream is paused. */
  showFirst: boolean;
  /** Called once when nothing more will be written: see {@link StreamWriter.fault}. */
  onFailed: () => void;
  /** How long to go on trying while the database is away, in milliseconds. */
  patienceMs: number;
  /** Bytes, about, of written chunks that are kept to be written again after PostgreSQL lost them. */
  keepBytes: number;
}

/** The database says that this writer's epoch is over or its stream has ended: it must write no more. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
}

const RETRY_MS = 200;
/** Made once: every writer is stopped in the end, and the stack of an error costs more than a chunk. */
const STOPPED = new DOMException('The writer was stopped.', 'AbortError');
const MAX_APPEND_CHUNKS = 64;
/** What a chunk costs in memory beside its text, about: many tiny ones must not pass for little. */
const CHUNK_BYTES = 128;

/**
 * Writes one stream's chunks: one append at a time; what is added meanwhile is the next one. An append is tried again
 * while the database is away. When the fence refuses one at an unchanged epoch, the log's position tells why: it is in
 * already (its answer was lost), the stream is paused, or PostgreSQL crashed and lost the log's end.
 */
export class StreamWriter {
  private readonly pending: LoggedDraft[] = [];
  private readonly kept: LoggedDraft[] = [];
  private readonly stopping = new AbortController();
  private readonly steps = new EventEmitter();
  private pendingBytes = 0;
  private keptBytes = 0;
  private next: number;
  /** Sequence of the first chunk that was not shown yet. */
  private unshown: number;
  private failure: unknown;
  private working: Promise<void> | undefined;

  constructor(private readonly options: WriterOptions) {
    this.next = options.nextSequence;
    this.unshown = options.nextSequence;
  }

  /** Bytes, about, that are not in the log yet. */
  get buffered(): number {
    return this.pendingBytes;
  }

  /** What ended this writer; undefined while it can write. */
  get fault(): unknown {
    return this.failure;
  }

  /** Sequence of the last chunk that was added. */
  get lastSequence(): number {
    return this.next - 1;
  }

  /** Puts a chunk in line for the log. */
  add(added: Draft): void {
    if (this.failure !== undefined) return;
    const draft = { ...added, sequence: this.next };
    this.next += 1;
    this.pendingBytes += sizeOf(draft);
    this.pending.push(this.showAtOnce(draft));
    this.working ??= this.work();
  }

  /** Resolves after the append that is under way. @throws what ended the writer, or an `AbortError` for `signal`. */
  async progress(signal: AbortSignal): Promise<void> {
    if (this.working) await once(this.steps, 'step', { signal });
    if (this.failure !== undefined) throw this.failure;
  }

  /** Resolves when all that was added is in the log. @throws {FencedError} or the database's error, for good. */
  async flushed(): Promise<void> {
    await this.working;
    if (this.failure !== undefined) throw this.failure;
  }

  /** Resolves when nothing is under way: after a {@link stop}, with the answer to the last append. Never rejects. */
  async quiet(): Promise<void> {
    await this.working;
  }

  /**
   * Call it where the log is not as this writer left it: waits while the stream is paused, and writes again what
   * PostgreSQL lost. @throws {FencedError}, or the database's error.
   */
  async restore(): Promise<void> {
    const position = await this.ownPosition();
    await this.options.gate.opened(this.stopping.signal);
    if (position.lastSequence < this.lastSequence)
      await this.append(this.from(position.lastSequence + 1, []));
  }

  /** Writes no more. An append that is under way ends in the log or at the fence. */
  stop(): void {
    this.stopping.abort(STOPPED);
  }

  private async work(): Promise<void> {
    try {
      while (this.pending.length > 0) await this.appendNext();
    } catch (error) {
      this.failure = error;
      this.pending.length = 0;
      this.options.onFailed();
    }
    this.working = undefined;
    this.steps.emit('step');
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
    this.steps.emit('step');
  }

  private async append(chunks: readonly LoggedDraft[]): Promise<Date> {
    const { streamId, epoch, log, gate, patienceMs } = this.options;
    let giveUpAt = performance.now() + patienceMs;
    let writing = chunks;
    for (;;) {
      if (gate.paused) {
        await gate.opened(this.stopping.signal);
        giveUpAt = performance.now() + patienceMs;
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
      throw new FencedError(`stream ${streamId} is not at epoch ${epoch} any more`);
    }
    gate.hear(position);
    return position;
  }

  /** What the log needs from `sequence` on: what is kept, then `chunks`. */
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

  /** Only what follows on what was shown: chunks are shown in order. */
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
    onShown(
      toChunk({ stream_id: streamId, sequence, type, content, metadata: metadata ?? null, created_at: at }),
    );
  }
}

function sizeOf({ content }: LoggedDraft): number {
  return content.length + CHUNK_BYTES;
}
