import { Injectable, Logger } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { toDomainError } from '../../common/domain-error.js';
import { Announcer } from '../../conversations/announcer.js';
import { Relay } from '../../platform/relay/relay.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import { StreamsStore, type EndResult, type Ending } from '../log/streams.store.js';

type Ended = Extract<EndResult, { outcome: 'ended' }>;
type VisibleEnding = Ending & { visible: boolean };

/** Resolves when no append of this process is under way; never rejects. */
interface Writing {
  quiet(): Promise<void>;
}

const RETRY_MS = 200;

/** Ends streams and tells of it: who made the end tells it, after the commit. */
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
   * Names who writes a stream in this process: what it has under way may be in the log before the end, with the answer still on
   * its way, and is then shown before the end. Call what this returns when it writes no more.
   */
  heed(streamId: string, writer: Writing): () => void {
    this.writers.set(streamId, writer);
    return () => {
      if (this.writers.get(streamId) === writer) this.writers.delete(streamId);
    };
  }

  /**
   * Ends a stream once, whoever else tries (P5). While the database is away it tries again, for `patienceMs`.
   * @throws {DomainError} retryable, when it is still away then.
   */
  async end(ending: VisibleEnding, patienceMs = 0): Promise<EndResult> {
    const giveUpAt = performance.now() + patienceMs;
    for (let isRepeat = false; ; isRepeat = true) {
      try {
        const result = await this.streams.end(ending);
        // The end may be of an earlier try whose answer was lost, and then nobody has told of it. Twice is harmless.
        const told =
          isRepeat && result.outcome === 'already' ? await this.streams.ended(ending.streamId) : result;
        if (told?.outcome === 'ended') await this.tell(ending, told);
        return result;
      } catch (error) {
        if (!toDomainError(error).retryable || performance.now() >= giveUpAt) throw error;
        await delay(RETRY_MS);
      }
    }
  }

  /**
   * Cancels a stream whose pause, of this version, lasts too long; not one that was resumed in the last moment.
   * @throws {DomainError} as {@link end}.
   */
  async endPause(
    { streamId, version, visible }: { streamId: string; version: number; visible: boolean },
    patienceMs = 0,
  ): Promise<void> {
    const ending = { streamId, visible, type: 'cancelled', reason: 'pause_timeout' } as const;
    await this.end({ ...ending, pauseVersion: version }, patienceMs);
  }

  private async tell({ streamId, reason, visible }: VisibleEnding, ended: Ended): Promise<void> {
    const { conversationId, opening, chunk, status, lastSequence } = ended;
    this.metrics.end(status);
    this.logger.debug('an answer ended', { streamId, conversationId, status, lastSequence, reason });
    // The owner hears it first: from now on the fence refuses whatever it has under way.
    const writer = this.writers.get(streamId);
    this.relay.publish('stream', streamId, { type: 'ended' });
    await writer?.quiet();
    if (visible) {
      if (opening)
        this.relay.publish('conversation', conversationId, { type: 'stream:chunk', chunk: opening });
      this.relay.publish('conversation', conversationId, { type: 'stream:chunk', chunk });
      const change = { streamId, status, lastSequence, ...(reason && { reason }) };
      this.relay.publish('conversation', conversationId, { type: 'stream:status', status: change });
    }
    if (ended.message) this.announcer.announce(ended.message);
  }
}
