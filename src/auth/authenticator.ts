import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../platform/config/config.js';
import { ephemeralGuest, type Principal } from './principal.js';
import { unauthenticated } from './tokens/token-errors.js';
import { TokenVerifier } from './tokens/token-verifier.js';

/** Turns a token, or its absence, into a principal; the same for every transport. */
@Injectable()
export class Authenticator {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly verifier: TokenVerifier,
  ) {}

  /**
   * @param token as the client sent it; undefined when it sent none. Anything else must be a valid token, even with
   * `AUTH_REQUIRED=false`.
   * @throws {DomainError} `unauthenticated`, `token_expired`, or `internal` (retryable).
   */
  async authenticate(token: unknown): Promise<Principal> {
    if (typeof token === 'string') return this.verifier.verify(token);
    if (token !== undefined) throw unauthenticated('The token must be a string.');
    if (this.config.AUTH_REQUIRED) {
      throw unauthenticated(
        'A token is required: as `auth: { token }` of a socket, or as the header `Authorization: Bearer …` of a request.',
      );
    }
    return ephemeralGuest();
  }
}
