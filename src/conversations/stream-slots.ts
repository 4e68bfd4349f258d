import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../platform/config/config.js';

/** How many answers this node produces, against `STREAM_MAX_CONCURRENT`. */
@Injectable()
export class StreamSlots {
  private readonly held = new Set<string>();
  private reserved = 0;

  constructor(@Inject(CONFIG) private readonly config: Config) {}

  /** How many answers more this node may begin. */
  free(): number {
    return Math.max(0, this.config.STREAM_MAX_CONCURRENT - this.held.size - this.reserved);
  }

  /** Sets at most `wanted` slots aside for a commit that is under way; gives how many. */
  reserve(wanted: number): number {
    const count = Math.min(wanted, this.free());
    this.reserved += count;
    return count;
  }

  /** The commit is over: its streams hold their slots from now on, and what else was set aside is free again. */
  settle(reserved: number, streamIds: readonly string[]): void {
    this.reserved -= reserved;
    for (const streamId of streamIds) this.hold(streamId);
  }

  /** A stream that this node owns. Twice is once. */
  hold(streamId: string): void {
    this.held.add(streamId);
  }

  release(streamId: string): void {
    this.held.delete(streamId);
  }
}
