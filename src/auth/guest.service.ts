import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { DomainError } from '../common/domain-error.js';
import { randomText } from '../common/ids.js';
import { CONFIG, type Config } from '../platform/config/config.js';
import { AuthKeys } from './auth-keys.js';
import { displayName } from './claims.js';
import { newGuestId, type Principal } from './principal.js';
import { signToken } from './token-signer.js';
import { GUEST_TOKEN_TYPE, TokenVerifier } from './token-verifier.js';

export interface GuestRequest {
  /** How the guest wants to be called; cut to 128 code points on one line. */
  readonly name?: string | undefined;
  /** The guest token to renew; without it the guest is a new one. */
  readonly renew?: string | undefined;
}

export interface GuestToken {
  token: string;
  userId: string;
  /** ISO 8601, UTC. */
  expiresAt: string;
}

/** Gives guests their tokens. Nothing is stored: who holds the token is the guest. */
@Injectable()
export class GuestService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly keys: AuthKeys,
    private readonly verifier: TokenVerifier,
    private readonly clock: Clock,
  ) {}

  /**
   * A token for a new guest; with `renew` for the same guest as before, under the same name unless a new one is given.
   * A token may be renewed until it has been expired for GUEST_TOKEN_TTL_MS.
   * @throws {DomainError} `forbidden` where GUEST_ACCESS is off; `token_expired` or `unauthenticated` for `renew`.
   */
  async issue({ name, renew }: GuestRequest): Promise<GuestToken> {
    if (!this.config.GUEST_ACCESS) {
      throw new DomainError('forbidden', 'This server gives no guest tokens.');
    }
    const guest = renew === undefined ? undefined : await this.returning(renew);
    const userId = guest?.userId ?? newGuestId();
    const shown = displayName(name ?? '') ?? guest?.name;
    const issuedAt = this.clock.now();
    // A token ends on a whole second: what is told is what is signed.
    const expiresAt = Math.ceil((issuedAt + this.config.GUEST_TOKEN_TTL_MS) / 1000) * 1000;
    const token = await signToken(
      {
        sub: userId,
        issuedAt,
        expiresAt,
        jti: randomText(16),
        type: GUEST_TOKEN_TYPE,
        claims: { name: shown },
      },
      this.keys.own[0],
    );
    return { token, userId, expiresAt: new Date(expiresAt).toISOString() };
  }

  private returning(token: string): Promise<Principal> {
    return this.verifier.verifyGuest(token, this.config.GUEST_TOKEN_TTL_MS);
  }
}
