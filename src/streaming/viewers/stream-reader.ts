import { Injectable, Logger } from '@nestjs/common';
import type { Principal } from '../../auth/principal.js';
import { toDatabaseError } from '../../platform/database/errors.js';
import type { Chunk } from '../../protocol/index.js';
import { Relay } from '../../platform/relay/relay.js';
import { ChunkLogStore } from '../log/chunk-log.store.js';
import { StreamAccess } from '../stream-access.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import type { StreamRow } from '../log/stream.rows.js';
import { follow, type ChunkSource } from './follow.js';

/** What a viewer may hold of the log at once. */
const PAGE_BYTES = 64 * 1024;

interface Reading {
  fromSequence: number;
  signal: AbortSignal;
}

/** Follows streams through the log and the relay, for as long as their reader may read them. */
@Injectable()
export class StreamReader {
  private readonly logger = new Logger(StreamReader.name);

  constructor(
    private readonly log: ChunkLogStore,
    private readonly relay: Relay,
    private readonly access: StreamAccess,
    private readonly metrics: StreamMetrics,
  ) {}

  /** The chunks of `row` from a position on, to the end. Listens as soon as it is asked for the first ones. */
  follow(
    principal: Principal,
    row: StreamRow,
    { fromSequence, signal }: Reading,
  ): AsyncIterable<readonly Chunk[]> {
    return follow(this.source(principal, row), { fromSequence, signal });
  }

  /**
   * Calls `onOut` when `principal` may read no more, having been removed (P10): of any conversation until `of` has told
   * which, so that nothing lies between the look at the membership and the watch.
   */
  watchMembership(principal: Principal, onOut: () => void) {
    let conversationId: string | undefined;
    const stop = this.relay.subscribe('user', principal.userId, (event) => {
      if (event.type !== 'changed') return;
      const { change, conversationId: changed } = event.change;
      const isOut = change === 'deleted' || change === 'removed';
      if (isOut && (conversationId === undefined || changed === conversationId)) onOut();
    });
    return { stop, of: (row: StreamRow) => void (conversationId = row.conversation_id) };
  }

  private source(
    principal: Principal,
    { id: streamId, conversation_id: conversationId }: StreamRow,
  ): ChunkSource {
    return {
      read: async (fromSequence) => {
        const chunks = await this.log.read(streamId, fromSequence, PAGE_BYTES);
        this.metrics.replayed.inc(chunks.length);
        return chunks;
      },
      listen: (onChunk) =>
        this.relay.subscribe('conversation', conversationId, (event) => {
          if (event.type === 'stream:chunk' && event.chunk.streamId === streamId) onChunk(event.chunk);
        }),
      check: async () => void (await this.access.readable(principal, streamId)),
      failed: (error) => this.bear(error, streamId),
    };
  }

  /** The database may come back; a membership or a log that is gone does not. */
  private bear(error: unknown, streamId: string): void {
    const fault = toDatabaseError(error);
    if (!fault.retryable) throw fault;
    const cause = fault.cause instanceof Error ? fault.cause.message : fault.message;
    this.logger.warn(`stream ${streamId} could not be read just now: ${cause}`);
  }
}
