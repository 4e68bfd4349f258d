import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { DomainError } from '../../common/domain-error.js';
import { randomText } from '../../common/ids.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { AuthKeys } from './auth-keys.js';
import { displayName } from './claims.js';
import { newGuestId, type Principal } from '../principal.js';
import { signToken } from './token-signer.js';
import { GUEST_TOKEN_TYPE, TokenVerifier } from './token-verifier.js';

export interface GuestRequest {
  /** Display name; cut to 128 code points on one line. */
  readonly name?: string | undefined;
  /** The guest token to renew. Without it, a new guest is made. */
  readonly renew?: string | undefined;
}

export interface GuestToken {
  token: string;
  userId: string;
  /** ISO 8601, UTC. */
  expiresAt: string;
}

/** Issues guest tokens. Nothing is stored: the holder of a token is the guest. */
@Injectable()
export class GuestService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly keys: AuthKeys,
    private readonly verifier: TokenVerifier,
    private readonly clock: Clock,
  ) {}

  /**
   * Issues a token for a new guest, or with `renew` for the same guest again, who keeps the name unless a new one is given.
   * A token can be renewed until GUEST_TOKEN_TTL_MS after its expiry.
   * @throws {DomainError} `forbidden` when GUEST_ACCESS is off; `token_expired` or `unauthenticated` for `renew`.
   */
  async issue({ name, renew }: GuestRequest): Promise<GuestToken> {
    if (!this.config.GUEST_ACCESS) {
      throw new DomainError('forbidden', 'This server does not issue guest tokens.');
    }
    const guest = renew === undefined ? undefined : await this.verifyGuest(renew);
    const userId = guest?.userId ?? newGuestId();
    const shown = displayName(name ?? '') ?? guest?.name;
    const issuedAt = this.clock.now();
    // JWT times are whole seconds: the expiry in the response must equal the signed one.
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

  private verifyGuest(token: string): Promise<Principal> {
    return this.verifier.verifyGuest(token, this.config.GUEST_TOKEN_TTL_MS);
  }
}
