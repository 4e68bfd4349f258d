import { RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';
import { DomainError } from '../../common/domain-error.js';

/** Why something was not let through. */
export interface Refusal {
  readonly error: DomainError;
  /** How often over the limit was asked for in this time, what was refused included: above 1. */
  readonly overrun: number;
}

/** One limit, over the library's port: counted in memory, later in Redis. Without a store nothing is limited. */
export class Limiter {
  constructor(
    private readonly store: RateLimiterAbstract | null,
    private readonly onRefusal: () => void,
  ) {}

  /** Takes points of `key`. @returns null, or why not, with `retryAfterMs`; what is refused counts, and lengthens nothing. */
  async take(key: string, points = 1): Promise<Refusal | null> {
    if (!this.store) return null;
    try {
      await this.store.consume(key, points);
      return null;
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      this.onRefusal();
      // The library tells the time left by the machine's clock, which may have been set meanwhile.
      const error = rateLimited(Math.min(refused.msBeforeNext, this.store.msDuration));
      return { error, overrun: refused.consumedPoints / this.store.points };
    }
  }

  /** As {@link take}. @throws {DomainError} `rate_limited` where it is refused. */
  async demand(key: string): Promise<void> {
    const refusal = await this.take(key);
    if (refusal) throw refusal.error;
  }

  /** Gives a point back: what it was taken for has not been done. */
  async giveBack(key: string): Promise<void> {
    await this.store?.reward(key, 1);
  }
}

/** The refusal of what comes too often. */
export function rateLimited(retryAfterMs: number): DomainError {
  const options = { retryAfterMs: Math.max(1, Math.ceil(retryAfterMs)) };
  return new DomainError('rate_limited', 'Too much at once. Wait for retryAfterMs, then try again.', options);
}
