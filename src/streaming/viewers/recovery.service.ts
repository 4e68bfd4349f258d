import { Inject, Injectable } from '@nestjs/common';
import type { Principal } from '../../auth/principal.js';
import { DomainError } from '../../common/domain-error.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { isTerminal, type RecoverResult, type RecoverPayload } from '../../protocol/index.js';
import { ChunkLogStore } from '../log/chunk-log.store.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import { toState } from '../log/stream.rows.js';
import { StreamingService } from '../streaming.service.js';
import { checkPosition } from './position.js';

/** Reads parts of a stream's log for who missed them. */
@Injectable()
export class RecoveryService {
  constructor(
    private readonly streaming: StreamingService,
    private readonly log: ChunkLogStore,
    private readonly metrics: StreamMetrics,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /**
   * A page of the log from `fromSequence` on. An `interrupted` stream is continued, where there is room.
   * @throws {DomainError} `forbidden` where recovery is turned off, `not_found`, `stream_expired`, or
   * `invalid_payload` for a position beyond the log's end.
   */
  async recover(principal: Principal, { streamId, fromSequence }: RecoverPayload): Promise<RecoverResult> {
    if (!this.config.STREAM_RECOVERY_ENABLED) {
      throw new DomainError(
        'forbidden',
        'Reading the chunks of an answer again is turned off on this server.',
      );
    }
    let row = await this.streaming.readable(principal, streamId);
    checkPosition(fromSequence, row.last_sequence);
    if (row.status === 'interrupted') {
      await this.streaming.continueInterrupted(streamId);
      row = await this.streaming.readable(principal, streamId);
    }
    const chunks = await this.log.read(streamId, fromSequence);
    this.metrics.recovered.inc();
    this.metrics.replayed.inc(chunks.length);
    const last = chunks.at(-1);
    const nextSequence = last ? last.sequence + 1 : fromSequence;
    const done = last ? isTerminal(last) : row.completed_at !== null;
    return { stream: toState(row), chunks, nextSequence, done };
  }
}
