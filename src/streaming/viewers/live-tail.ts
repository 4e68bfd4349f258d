import type { Chunk } from '../../protocol/index.js';

const MAX_CHUNKS = 64;
const MAX_BYTES = 64 * 1024;

/** What ended a wait. */
export type WakeReason = 'received' | 'timeout' | 'aborted';

/**
 * Buffers the newest chunks of a stream as they arrive live: possibly late, twice, out of order or with gaps. Holds at most
 * 64 chunks or 64 KiB of text (one larger chunk is held alone). Older ones are dropped, and read from the log (P7).
 */
export class LiveTail {
  private chunks: Chunk[] = [];
  private length = 0;
  private endWait: ((reason: WakeReason) => void) | undefined;

  /** @param next sequence that the reader needs next. */
  constructor(private next: number) {}

  /** Sequence that the reader needs next. */
  get position(): number {
    return this.next;
  }

  /** Whether chunks are missing between the reader's position and the held ones: they are in the log. */
  get hasGap(): boolean {
    const first = this.chunks[0];
    return first !== undefined && first.sequence > this.next;
  }

  /** Whether the held chunks begin at the reader's position. */
  get canConsume(): boolean {
    return this.chunks[0]?.sequence === this.next;
  }

  /** Receives a chunk from the relay. */
  receive(chunk: Chunk): void {
    const last = this.chunks.at(-1);
    if (chunk.sequence < (last ? last.sequence + 1 : this.next)) return;
    const isFull = this.chunks.length === MAX_CHUNKS || this.length + chunk.content.length > MAX_BYTES;
    if (last && (isFull || chunk.sequence > last.sequence + 1)) this.clear();
    this.chunks.push(chunk);
    this.length += chunk.content.length;
    this.wake('received');
  }

  /** Moves the reader's position; chunks below `next` are dropped. */
  moveTo(next: number): void {
    this.next = next;
    const kept = this.chunks.filter(({ sequence }) => sequence >= next);
    this.chunks = kept;
    this.length = kept.reduce((sum, { content }) => sum + content.length, 0);
  }

  /** Removes and returns the held chunks from the reader's position on; none where the log must be read first. */
  consume(): readonly Chunk[] {
    if (this.hasGap) return [];
    const consumed = this.chunks;
    this.clear();
    return consumed;
  }

  /** Waits for the next chunk, for `ms`, or for {@link abort}. Only one wait at a time. */
  wait(ms: number): Promise<WakeReason> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.wake('timeout'), ms);
      this.endWait = (reason) => {
        clearTimeout(timer);
        resolve(reason);
      };
    });
  }

  /** Ends a running wait. */
  abort(): void {
    this.wake('aborted');
  }

  private wake(reason: WakeReason): void {
    const { endWait } = this;
    this.endWait = undefined;
    endWait?.(reason);
  }

  private clear(): void {
    this.chunks = [];
    this.length = 0;
  }
}
