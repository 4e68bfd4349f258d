import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../platform/config/config.js';

/** Counts the answers that this node produces, against `STREAM_MAX_CONCURRENT`. */
@Injectable()
export class StreamSlots {
  private readonly held = new Set<string>();
  private reserved = 0;

  constructor(@Inject(CONFIG) private readonly config: Config) {}

  /** Returns how many more answers this node may start. */
  free(): number {
    return Math.max(0, this.config.STREAM_MAX_CONCURRENT - this.held.size - this.reserved);
  }

  /** Reserves at most `wanted` slots for a commit. @returns the number reserved. */
  reserve(wanted: number): number {
    const count = Math.min(wanted, this.free());
    this.reserved += count;
    return count;
  }

  /** Ends a reservation after its commit: the created streams hold their slots, the other slots are free again. */
  settle(reserved: number, streamIds: readonly string[]): void {
    this.reserved -= reserved;
    for (const streamId of streamIds) this.hold(streamId);
  }

  /** Holds a slot for a stream that this node owns. Idempotent. */
  hold(streamId: string): void {
    this.held.add(streamId);
  }

  release(streamId: string): void {
    this.held.delete(streamId);
  }
}
