import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '../../common/domain-error.js';
import { Quota } from '../../common/quota.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { LimitsMetrics } from '../../platform/limits/limits-metrics.js';

/** Limits a user's SSE and NDJSON responses on this node: as many as sockets, counted separately. */
@Injectable()
export class ViewerQuota {
  private readonly quota: Quota;
  private readonly countRefusal: () => void;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    metrics: LimitsMetrics,
  ) {
    this.quota = new Quota(config.MAX_CONNECTIONS_PER_USER);
    this.countRefusal = metrics.refusalsOf('user_viewers');
  }

  /** Runs `read` as one of the user's responses. @throws {DomainError} `too_many_connections`, which is not retryable. */
  async run<T>(userId: string, read: () => Promise<T>): Promise<T> {
    const release = this.quota.acquire(userId);
    if (!release) {
      this.countRefusal();
      const message = `A user may read ${this.config.MAX_CONNECTIONS_PER_USER} answers over HTTP at once. Close one first.`;
      throw new DomainError('too_many_connections', message, { retryable: false });
    }
    return read().finally(release);
  }
}
