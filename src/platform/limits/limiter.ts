import { RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';
import { DomainError } from '../../common/domain-error.js';

/** Details of a refusal by a limiter. */
export interface Refusal {
  readonly error: DomainError;
  /** Points requested in this period, refused ones included, as a multiple of the limit; above 1. */
  readonly overrun: number;
}

/** One rate limit. Without a store it limits nothing. */
export class Limiter {
  constructor(
    private readonly store: RateLimiterAbstract | null,
    private readonly onRefusal: () => void,
  ) {}

  /**
   * Consumes points of `key`. Refused points count too, but do not make the wait longer.
   * @returns null, or the refusal with its `retryAfterMs`.
   */
  async tryConsume(key: string, points = 1): Promise<Refusal | null> {
    if (!this.store) return null;
    try {
      await this.store.consume(key, points);
      return null;
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      this.onRefusal();
      // The library computes the time left from the machine's clock, which may have been set meanwhile.
      const error = rateLimited(Math.min(refused.msBeforeNext, this.store.msDuration));
      return { error, overrun: refused.consumedPoints / this.store.points };
    }
  }

  /** Consumes a point of `key`. @throws {DomainError} `rate_limited`. */
  async consume(key: string): Promise<void> {
    const refusal = await this.tryConsume(key);
    if (refusal) throw refusal.error;
  }

  /** Gives back a point that was consumed for something that then did not happen. */
  async refund(key: string): Promise<void> {
    await this.store?.reward(key, 1);
  }
}

/** Returns the error for exceeding a rate limit. */
export function rateLimited(retryAfterMs: number): DomainError {
  const options = { retryAfterMs: Math.max(1, Math.ceil(retryAfterMs)) };
  return new DomainError(
    'rate_limited',
    'Too many requests. Wait for retryAfterMs, then try again.',
    options,
  );
}
