import { Injectable, Logger } from '@nestjs/common';
import type { Principal } from '../../auth/principal.js';
import { toDatabaseError } from '../../platform/database/errors.js';
import type { Chunk } from '../../protocol/index.js';
import { Relay } from '../../platform/relay/relay.js';
import { invalid } from '../../platform/validation/payload.js';
import { ChunkLogStore } from '../log/chunk-log.store.js';
import type { StreamRow } from '../log/stream.rows.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import { StreamAccess } from '../stream-access.js';
import { follow, type ChunkSource } from './follow.js';

/** The part of the log that a viewer holds in memory at once. */
const PAGE_BYTES = 64 * 1024;
const WHOLE = /^\d{1,15}$/;

/** Where a client wants to start, as the texts of its request. */
export interface RequestedPosition {
  /** Header `Last-Event-ID`: the last sequence that it has. Wins over `fromSequence`. Empty counts as absent. */
  lastEventId?: string | undefined;
  /** Query `fromSequence`: the first sequence that it wants. */
  fromSequence?: string | undefined;
}

interface FollowOptions {
  fromSequence: number;
  signal: AbortSignal;
}

/** Follows streams through the log and the relay, as long as the reader is allowed to. */
@Injectable()
export class StreamReader {
  private readonly logger = new Logger(StreamReader.name);

  constructor(
    private readonly log: ChunkLogStore,
    private readonly relay: Relay,
    private readonly access: StreamAccess,
    private readonly metrics: StreamMetrics,
  ) {}

  /**
   * Opens a stream for `principal`. Calls `onRemoved` when `principal` is removed from the conversation, or it is deleted (P10),
   * until `close`. It watches before it checks the membership, so that no removal is missed in between.
   * @throws {DomainError} as `StreamAccess.readable`.
   */
  async open(
    principal: Principal,
    streamId: string,
    onRemoved: () => void,
  ): Promise<{ row: StreamRow; close: () => void }> {
    let conversationId: string | undefined;
    const close = this.relay.subscribe('user', principal.userId, (event) => {
      if (event.type !== 'changed') return;
      const { change, conversationId: changed } = event.change;
      const isRemoval = change === 'deleted' || change === 'removed';
      // Until the conversation is known, any removal counts.
      if (isRemoval && (conversationId === undefined || changed === conversationId)) onRemoved();
    });
    try {
      const row = await this.access.readable(principal, streamId);
      conversationId = row.conversationId;
      return { row, close };
    } catch (error) {
      close();
      throw error;
    }
  }

  /** Returns the chunks of `row` from a position on, to the end. It starts to listen when the first ones are requested. */
  follow(
    principal: Principal,
    row: StreamRow,
    { fromSequence, signal }: FollowOptions,
  ): AsyncIterable<readonly Chunk[]> {
    return follow(this.source(principal, row), { fromSequence, signal });
  }

  private source(principal: Principal, { id: streamId, conversationId }: StreamRow): ChunkSource {
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
      onFailure: (error) => this.onFailure(error, streamId),
    };
  }

  /** Ignores a database that is away for now. @throws where the membership or the log is gone. */
  private onFailure(error: unknown, streamId: string): void {
    const fault = toDatabaseError(error);
    if (!fault.retryable) throw fault;
    this.logger.warn('failed to read a stream, trying again', { streamId, error: fault.cause ?? fault });
  }
}

/** Returns the first sequence to read; 0 by default. @throws {DomainError} `invalid_payload` where it is not a number. */
export function positionOf({ lastEventId, fromSequence }: RequestedPosition): number {
  if (lastEventId) return parseWhole(lastEventId, 'Last-Event-ID') + 1;
  return fromSequence === undefined ? 0 : parseWhole(fromSequence, 'fromSequence');
}

/** @throws {DomainError} `invalid_payload` where `fromSequence` is beyond the next chunk of a log that ends at `lastSequence`. */
export function checkPosition(fromSequence: number, lastSequence: number): void {
  if (fromSequence <= lastSequence + 1) return;
  const range = `fromSequence must be at most ${lastSequence + 1}`;
  throw invalid([`${range}: the last chunk of the stream has sequence ${lastSequence}`]);
}

function parseWhole(text: string, name: string): number {
  // A repeated parameter or header is an array.
  if (typeof text === 'string' && WHOLE.test(text)) return Number(text);
  throw invalid([`${name} must be a whole number, 0 or greater`]);
}
