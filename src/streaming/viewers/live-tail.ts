import type { Chunk } from '../../protocol/index.js';

const MAX_CHUNKS = 64;
const MAX_BYTES = 64 * 1024;

/** What woke a reader that waited. */
export type Woken = 'heard' | 'timeout' | 'aborted';

/**
 * The newest chunks of a stream as they come live: maybe late, twice, out of order or with gaps. Holds at most 64 of
 * them or 64 KiB of text (one larger chunk is held alone): what does not fit is forgotten, and found in the log (P7).
 */
export class LiveTail {
  private chunks: Chunk[] = [];
  private length = 0;
  private wake: ((woken: Woken) => void) | undefined;

  /** @param next sequence that the reader needs next. */
  constructor(private next: number) {}

  /** Sequence that the reader needs next. */
  get position(): number {
    return this.next;
  }

  /** Whether chunks are held that do not follow on what the reader has: those between are in the log. */
  get hasGap(): boolean {
    const first = this.chunks[0];
    return first !== undefined && first.sequence > this.next;
  }

  /** Whether chunks are held that follow on what the reader has. */
  get canTake(): boolean {
    return this.chunks[0]?.sequence === this.next;
  }

  /** Takes a chunk that was heard. */
  hear(chunk: Chunk): void {
    const last = this.chunks.at(-1);
    if (chunk.sequence < (last ? last.sequence + 1 : this.next)) return;
    const isFull = this.chunks.length === MAX_CHUNKS || this.length + chunk.content.length > MAX_BYTES;
    if (last && (isFull || chunk.sequence > last.sequence + 1)) this.forget();
    this.chunks.push(chunk);
    this.length += chunk.content.length;
    this.stir('heard');
  }

  /** The reader has everything below `next`. */
  moveTo(next: number): void {
    this.next = next;
    const kept = this.chunks.filter(({ sequence }) => sequence >= next);
    this.chunks = kept;
    this.length = kept.reduce((sum, { content }) => sum + content.length, 0);
  }

  /** The chunks that follow on what the reader has; none where the log has to be read first. */
  take(): readonly Chunk[] {
    if (this.hasGap) return [];
    const taken = this.chunks;
    this.forget();
    return taken;
  }

  /** Waits for the next chunk, for `ms`, or for {@link abort}. One reader at a time. */
  wait(ms: number): Promise<Woken> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.stir('timeout'), ms);
      this.wake = (woken) => {
        clearTimeout(timer);
        resolve(woken);
      };
    });
  }

  /** Ends a wait that is under way. */
  abort(): void {
    this.stir('aborted');
  }

  private stir(woken: Woken): void {
    const { wake } = this;
    this.wake = undefined;
    wake?.(woken);
  }

  private forget(): void {
    this.chunks = [];
    this.length = 0;
  }
}
