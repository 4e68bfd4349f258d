import { Injectable } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { AuthFailures } from './auth-failures.js';
import { ClientAddresses } from './client-addresses.js';
import { RateLimits } from './rate-limits.js';

/** Paths that probes and Prometheus request. */
const PROBES = /^\/(api\/ws\/health|metrics)(\/|$)/i;

/** Limits the rate of HTTP requests per address and per user. */
@Injectable()
export class HttpLimits {
  constructor(
    private readonly limits: RateLimits,
    private readonly addresses: ClientAddresses,
    private readonly failures: AuthFailures,
  ) {}

  /** Express middleware: counts every request for its address, probes separately from all others. */
  readonly limitAddress = (request: Request, _response: Response, next: NextFunction): void => {
    const limiter = PROBES.test(request.path) ? this.limits.addressProbes : this.limits.addressHttp;
    limiter.consume(this.addresses.keyOf(request)).then(() => next(), next);
  };

  /**
   * Runs `work`, which checks the token of `request`.
   * @throws {DomainError} as `AuthFailures.attempt`.
   */
  attempt<T>(request: Request, work: () => Promise<T>): Promise<T> {
    return this.failures.attempt(this.addresses.keyOf(request), work);
  }

  /** Counts a request of a user. @throws {DomainError} `rate_limited`. */
  countUser(userId: string): Promise<void> {
    return this.limits.userHttp.consume(userId);
  }
}
