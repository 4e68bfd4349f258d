import { Inject, Injectable } from '@nestjs/common';
import type { Socket } from 'socket.io';
import { DomainError } from '../../common/domain-error.js';
import { Quota } from '../../common/quota.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { LimitsMetrics } from '../../platform/limits/limits-metrics.js';
import { RateLimits } from '../../platform/limits/rate-limits.js';
import { engineOf } from '../engine/engine.js';

/** Limits a user's connections to this node. A connection counts from its handshake until its transport has closed. */
@Injectable()
export class UserQuota {
  private readonly quota: Quota;
  private readonly countRefusal: () => void;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly limits: RateLimits,
    metrics: LimitsMetrics,
  ) {
    this.quota = new Quota(config.MAX_CONNECTIONS_PER_USER);
    this.countRefusal = metrics.refusalsOf('user_connections');
  }

  /** Counts `socket`. @throws {DomainError} `rate_limited`, or `too_many_connections`, which is not retryable. */
  async acquire(userId: string, socket: Socket): Promise<void> {
    await this.limits.userConnects.consume(userId);
    const release = this.quota.acquire(userId);
    if (!release) {
      this.countRefusal();
      const message = `A user may have ${this.config.MAX_CONNECTIONS_PER_USER} connections at once. Close one first.`;
      throw new DomainError('too_many_connections', message, { retryable: false });
    }
    // It may have closed while its token was checked: its 'close' event would never come.
    if (engineOf(socket).readyState === 'open') socket.conn.on('close', release);
    else release();
  }
}
