import { Inject, Injectable } from '@nestjs/common';
import { decodeProtectedHeader, type JWTPayload } from 'jose';
import { Clock } from '../common/clock.js';
import { CONFIG, type Config } from '../platform/config/config.js';
import { AuthKeys, sharedSecret } from './auth-keys.js';
import { appPrincipal, guestPrincipal } from './claims.js';
import type { Principal } from './principal.js';
import { RevocationList } from './revocation-list.js';
import { unauthenticated } from './token-errors.js';
import { claimsBy, type Rules } from './verified-claims.js';

/** JOSE header `typ` of guest tokens: it keeps them apart from the application's (RFC 8725, 3.11). */
export const GUEST_TOKEN_TYPE = 'guest+jwt';

/** `typ` of an application's token: none, plain, or an OAuth access token (RFC 9068). Other kinds of JWT are not for signing in. */
const APP_TOKEN_TYPES = new Set(['', 'jwt', 'at+jwt']);
const MAX_TOKEN_CHARS = 8192;
const CLOCK_TOLERANCE_S = 5;

/** Turns tokens into principals (protocol section 5.6). Nothing of a token gets into an error. */
@Injectable()
export class TokenVerifier {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly keys: AuthKeys,
    private readonly clock: Clock,
    private readonly revoked: RevocationList,
  ) {}

  /**
   * Who `token` names: a user of the application, or a guest.
   * @throws {DomainError} `token_expired`; `unauthenticated` for every other fault of the token, a revocation too;
   * `internal`, retryable, where the keys cannot be had.
   */
  async verify(token: string): Promise<Principal> {
    const type = tokenType(token);
    if (type === GUEST_TOKEN_TYPE) return this.verifyGuest(token);
    if (!APP_TOKEN_TYPES.has(type)) throw unauthenticated('This kind of token is not for signing in.');
    const { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = this.config;
    const claims = await claimsBy(this.keys.app, token, {
      ...this.rules(),
      ...(issuer !== undefined && { issuer }),
      ...(audience !== undefined && { audience }),
    });
    this.checkIssuedAt(claims);
    return this.unrevoked(appPrincipal(claims));
  }

  /**
   * As {@link verify}, for guest tokens alone.
   * @param expiredForMs how long ago the token may have expired; 0: as for every token.
   */
  async verifyGuest(token: string, expiredForMs = 0): Promise<Principal> {
    const isAdmitted = this.config.GUEST_ACCESS || !this.config.AUTH_REQUIRED;
    if (tokenType(token) !== GUEST_TOKEN_TYPE) throw unauthenticated('The token is not a guest token.');
    if (!isAdmitted) throw unauthenticated('Guests are not admitted here.');
    return this.unrevoked(guestPrincipal(await this.verifyOwn(token, GUEST_TOKEN_TYPE, expiredForMs)));
  }

  /**
   * The claims of a token of the service's own, of the given `typ`.
   * @param expiredForMs as in {@link verifyGuest}.
   */
  async verifyOwn(token: string, type: string, expiredForMs = 0): Promise<JWTPayload> {
    if (tokenType(token) !== type) throw unauthenticated('The token is not of the kind that is asked for.');
    const clockTolerance = Math.max(CLOCK_TOLERANCE_S, expiredForMs / 1000);
    return claimsBy(this.keys.own.map(sharedSecret), token, { ...this.rules(), clockTolerance });
  }

  /** `principal`, if its token is not revoked. @throws {DomainError} `unauthenticated`. */
  unrevoked(principal: Principal): Principal {
    if (this.revoked.has(principal)) throw unauthenticated('The token was revoked.');
    return principal;
  }

  /** A token from the future would escape the revocations until then. */
  private checkIssuedAt({ iat = 0 }: JWTPayload): void {
    if (iat * 1000 > this.clock.now() + CLOCK_TOLERANCE_S * 1000) {
      throw unauthenticated("The token's iat is in the future.");
    }
  }

  private rules(): Rules {
    return {
      requiredClaims: ['sub', 'exp'],
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(this.clock.now()),
    };
  }
}

/** `typ` in the header of `token`, in lower case and without `application/` (RFC 7515, 4.1.9); empty where there is none. */
function tokenType(token: string): string {
  if (token.length > MAX_TOKEN_CHARS) throw unauthenticated('The token is too long.');
  try {
    const { typ = '' } = decodeProtectedHeader(token);
    return typ.toLowerCase().replace(/^application\//, '');
  } catch {
    throw unauthenticated('The token is malformed.');
  }
}
