import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '../../common/domain-error.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { LimitsMetrics } from '../../platform/limits/limits-metrics.js';

/** The places that a user's SSE and NDJSON responses take on this node: as many as sockets, and beside these. */
@Injectable()
export class ViewerQuota {
  private readonly taken = new Map<string, number>();
  private readonly countRefusal: () => void;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    metrics: LimitsMetrics,
  ) {
    this.countRefusal = metrics.refusalsOf('user_viewers');
  }

  /** Does `work` in a place of the user's. @throws {DomainError} `too_many_connections` where there is none: waiting does not mend it. */
  async run<T>(userId: string, work: () => Promise<T>): Promise<T> {
    const mine = this.taken.get(userId) ?? 0;
    const max = this.config.MAX_CONNECTIONS_PER_USER;
    if (mine >= max) {
      this.countRefusal();
      const message = `A user may have ${max} responses at once that read answers. Close one first.`;
      throw new DomainError('too_many_connections', message, { retryable: false });
    }
    this.taken.set(userId, mine + 1);
    try {
      return await work();
    } finally {
      this.release(userId);
    }
  }

  private release(userId: string): void {
    const left = (this.taken.get(userId) ?? 0) - 1;
    if (left > 0) this.taken.set(userId, left);
    else this.taken.delete(userId);
  }
}
