import { Injectable, Logger } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { toDomainError } from '../../common/domain-error.js';
import { Announcer } from '../../conversations/announcer.js';
import { Relay } from '../../platform/relay/relay.js';
import { publishEnd, publishStatus } from '../log/stream-events.js';
import type { OwnedStream } from '../log/stream.rows.js';
import { StreamsStore, type EndResult, type EndedStream, type Ending } from '../log/streams.store.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';

type VisibleEnding = Ending & { visible: boolean };

/** The part of a stream's writer that an end waits for. */
interface Writing {
  /** Resolves when no append of this process is under way; never rejects. */
  quiet(): Promise<void>;
}

const RETRY_MS = 200;

/** Ends and releases streams. The process that ends a stream publishes its end, after the commit. */
@Injectable()
export class StreamEnder {
  private readonly logger = new Logger(StreamEnder.name);
  private readonly writers = new Map<string, Writing>();

  constructor(
    private readonly streams: StreamsStore,
    private readonly relay: Relay,
    private readonly announcer: Announcer,
    private readonly metrics: StreamMetrics,
  ) {}

  /**
   * Registers the writer of a stream in this process. Its last append may be committed before the end while its result is
   * still on the way: the end is published after those chunks. Returns the function that removes the writer.
   */
  registerWriter(streamId: string, writer: Writing): () => void {
    this.writers.set(streamId, writer);
    return () => {
      if (this.writers.get(streamId) === writer) this.writers.delete(streamId);
    };
  }

  /**
   * Ends a stream once, whoever else tries (P5). While the database is away it tries again, for `retryForMs`.
   * @throws {DomainError} retryable, when the database is still away then.
   */
  async end(ending: VisibleEnding, retryForMs = 0): Promise<EndResult> {
    const giveUpAt = performance.now() + retryForMs;
    for (let isRepeat = false; ; isRepeat = true) {
      try {
        const result = await this.streams.end(ending);
        // An earlier try whose result was lost may have ended it: then nobody has published it. Publishing twice is harmless.
        const ended =
          isRepeat && result.outcome === 'already' ? await this.streams.findEnded(ending.streamId) : result;
        if (ended?.outcome === 'ended') await this.publish(ending, ended);
        return result;
      } catch (error) {
        if (!toDomainError(error).retryable || performance.now() >= giveUpAt) throw error;
        await delay(RETRY_MS);
      }
    }
  }

  /**
   * Cancels a stream whose pause of this version lasts too long, unless it was resumed meanwhile.
   * @throws {DomainError} as {@link end}.
   */
  async endPause(
    { streamId, version, visible }: { streamId: string; version: number; visible: boolean },
    retryForMs = 0,
  ): Promise<void> {
    const ending = { streamId, visible, type: 'cancelled', reason: 'pause_timeout' } as const;
    await this.end({ ...ending, pauseVersion: version }, retryForMs);
  }

  /** Gives up a stream of this node, so that any node may claim it. @throws {DomainError} retryable, when the database is away. */
  async release(row: OwnedStream): Promise<void> {
    const released = await this.streams.release(row.id, row.epoch);
    if (released?.status !== 'interrupted') return;
    const { status, lastSequence } = released;
    publishStatus(this.relay, row, { status, lastSequence, reason: 'handover' });
  }

  private async publish({ streamId, reason, visible }: VisibleEnding, ended: EndedStream): Promise<void> {
    const { conversationId, status, lastSequence } = ended;
    this.metrics.onEnd(status);
    this.logger.debug('answer ended', { streamId, conversationId, status, lastSequence, reason });
    // The owner is notified first: from now on the fence refuses its appends, and only the last one is waited for.
    const writer = this.writers.get(streamId);
    this.relay.publish('stream', streamId, { type: 'ended' });
    await writer?.quiet();
    if (visible) publishEnd(this.relay, ended, reason);
    if (ended.message) this.announcer.announce(ended.message);
  }
}
