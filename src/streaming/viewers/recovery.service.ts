import { Inject, Injectable } from '@nestjs/common';
import type { Principal } from '../../auth/principal.js';
import { DomainError } from '../../common/domain-error.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { isTerminal, type RecoverResult, type RecoverPayload } from '../../protocol/index.js';
import { ChunkLogStore } from '../log/chunk-log.store.js';
import { toState } from '../log/stream.rows.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import { StreamClaims } from '../ownership/stream-claims.js';
import { StreamAccess } from '../stream-access.js';
import { checkPosition } from './stream-reader.js';

/** Reads pages of a stream's log, for clients that missed chunks. */
@Injectable()
export class RecoveryService {
  constructor(
    private readonly access: StreamAccess,
    private readonly claims: StreamClaims,
    private readonly log: ChunkLogStore,
    private readonly metrics: StreamMetrics,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /**
   * Reads a page of the log from `fromSequence` on. An `interrupted` stream is continued, if this node has a free slot.
   * @throws {DomainError} `forbidden` where recovery is turned off, `not_found`, `stream_expired`, or
   * `invalid_payload` for a position beyond the log's end.
   */
  async recover(principal: Principal, { streamId, fromSequence }: RecoverPayload): Promise<RecoverResult> {
    if (!this.config.STREAM_RECOVERY_ENABLED) {
      throw new DomainError(
        'forbidden',
        'Recovery of streams is turned off on this server (STREAM_RECOVERY_ENABLED).',
      );
    }
    let row = await this.access.readable(principal, streamId);
    checkPosition(fromSequence, row.lastSequence);
    if (row.status === 'interrupted') {
      await this.claims.claim(streamId);
      row = await this.access.readable(principal, streamId);
    }
    const chunks = await this.log.read(streamId, fromSequence);
    this.metrics.recovered.inc();
    this.metrics.replayed.inc(chunks.length);
    const last = chunks.at(-1);
    const nextSequence = last ? last.sequence + 1 : fromSequence;
    const done = last ? isTerminal(last) : row.completedAt !== null;
    return { stream: toState(row), chunks, nextSequence, done };
  }
}
