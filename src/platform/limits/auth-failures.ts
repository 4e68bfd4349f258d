import { Injectable } from '@nestjs/common';
import { DomainError } from '../../common/domain-error.js';
import { RateLimits } from './rate-limits.js';

/** Who guesses tokens is told to wait; who brings a good one is not, wherever it comes from. */
@Injectable()
export class AuthFailures {
  constructor(private readonly limits: RateLimits) {}

  /**
   * Does `work`, which checks a token.
   * @throws {DomainError} what `work` throws; `rate_limited` instead of a refused token where too many came from there.
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
