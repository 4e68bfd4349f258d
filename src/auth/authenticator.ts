import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../platform/config/config.js';
import { ephemeralGuest, type Principal } from './principal.js';
import { unauthenticated } from './token-errors.js';
import { TokenVerifier } from './token-verifier.js';

/** The one door for every transport: a token, or none, becomes a principal. */
@Injectable()
export class Authenticator {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly verifier: TokenVerifier,
  ) {}

  /**
   * @param token as the client sent it; undefined where it sent none. Anything but undefined must be a good token, also
   * with `AUTH_REQUIRED=false`.
   * @throws {DomainError} `unauthenticated`, `token_expired`, or `internal` (retryable).
   */
  async authenticate(token: unknown): Promise<Principal> {
    if (typeof token === 'string') return this.verifier.verify(token);
    if (token !== undefined) throw unauthenticated('The token must be a string.');
    if (this.config.AUTH_REQUIRED) throw unauthenticated('A token is required.');
    return ephemeralGuest();
  }
}
