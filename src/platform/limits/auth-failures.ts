import { Injectable } from '@nestjs/common';
import { DomainError } from '../../common/domain-error.js';
import { RateLimits } from './rate-limits.js';

/** Makes addresses that guess tokens wait. A valid token always passes, wherever it comes from. */
@Injectable()
export class AuthFailures {
  constructor(private readonly limits: RateLimits) {}

  /**
   * Runs `work`, which checks a token.
   * @throws {DomainError} what `work` throws; `rate_limited` instead of a refused token if too many came from this
   * address.
   */
  async attempt<T>(addressKey: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isRefusedToken(error)) await this.limits.authFailures.consume(addressKey);
      throw error;
    }
  }
}

function isRefusedToken(error: unknown): boolean {
  return error instanceof DomainError && (error.code === 'unauthenticated' || error.code === 'token_expired');
}
