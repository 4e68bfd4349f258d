import { Inject, Injectable } from '@nestjs/common';
import type { Socket } from 'socket.io';
import { DomainError } from '../../common/domain-error.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { LimitsMetrics } from '../../platform/limits/limits-metrics.js';
import { RateLimits } from '../../platform/limits/rate-limits.js';
import { engineOf } from '../engine/engine.js';

/** The places that a user's connections take on this node, from the handshake until the transport has closed. */
@Injectable()
export class UserQuota {
  private readonly taken = new Map<string, number>();
  private readonly countRefusal: () => void;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly limits: RateLimits,
    metrics: LimitsMetrics,
  ) {
    this.countRefusal = metrics.refusalsOf('user_connections');
  }

  /** Users who have a place: 0 when nobody is connected. */
  get size(): number {
    return this.taken.size;
  }

  /** Takes a place for `socket`. @throws {DomainError} `rate_limited`, or `too_many_connections`, which waiting does not mend. */
  async acquire(userId: string, socket: Socket): Promise<void> {
    await this.limits.userConnects.demand(userId);
    const mine = this.taken.get(userId) ?? 0;
    const max = this.config.MAX_CONNECTIONS_PER_USER;
    if (mine >= max) {
      this.countRefusal();
      const message = `A user may have ${max} connections at once. Close one first.`;
      throw new DomainError('too_many_connections', message, { retryable: false });
    }
    // It may have closed while its token was checked: nobody would give the place back.
    if (engineOf(socket).readyState !== 'open') return;
    this.taken.set(userId, mine + 1);
    socket.conn.on('close', () => this.release(userId));
  }

  private release(userId: string): void {
    const left = (this.taken.get(userId) ?? 0) - 1;
    if (left > 0) this.taken.set(userId, left);
    else this.taken.delete(userId);
  }
}
