import { Inject, Injectable } from '@nestjs/common';
import {
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type CryptoKey,
  type JWTPayload,
  type JWTVerifyOptions,
} from 'jose';
import { Clock } from '../common/clock.js';
import { CONFIG, type Config } from '../config/config.js';
import { AuthKeys } from './auth-keys.js';
import { appPrincipal, guestPrincipal } from './claims.js';
import type { Principal } from './principal.js';
import { refusalOf, unauthenticated } from './token-errors.js';

/** JOSE header `typ` of guest tokens: it keeps them apart from the application's (RFC 8725, 3.11). */
export const GUEST_TOKEN_TYPE = 'guest+jwt';

/** `typ` of an application's token: none, plain, or an OAuth access token (RFC 9068). Other kinds of JWT are not for signing in. */
const APP_TOKEN_TYPES = new Set(['', 'jwt', 'at+jwt']);
const MAX_TOKEN_CHARS = 8192;
const CLOCK_TOLERANCE_S = 5;

/** Turns tokens into principals (protocol section 5, Token claims). Nothing of a token gets into an error. */
@Injectable()
export class TokenVerifier {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly keys: AuthKeys,
    private readonly clock: Clock,
  ) {}

  /**
   * Who `token` names: a user of the application, or a guest.
   * @throws {DomainError} `token_expired`; `unauthenticated` for every other fault of the token; `internal`, retryable,
   * where the keys cannot be had.
   */
  async verify(token: string): Promise<Principal> {
    const type = tokenType(token);
    if (type === GUEST_TOKEN_TYPE) return this.verifyGuest(token);
    if (!APP_TOKEN_TYPES.has(type)) throw unauthenticated('This kind of token is not for signing in.');
    const { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = this.config;
    const claims = await this.claimsOf(token, {
      ...this.rules(this.keys.app.algorithms),
      ...(issuer !== undefined && { issuer }),
      ...(audience !== undefined && { audience }),
    });
    return appPrincipal(claims);
  }

  /**
   * As {@link verify}, for guest tokens alone.
   * @param expiredForMs how long ago the token may have expired; 0: as for every token.
   */
  async verifyGuest(token: string, expiredForMs = 0): Promise<Principal> {
    const secret = this.keys.guestSecret;
    if (tokenType(token) !== GUEST_TOKEN_TYPE) throw unauthenticated('The token is not a guest token.');
    if (!secret) throw unauthenticated('Guests are not admitted here.');
    const clockTolerance = Math.max(CLOCK_TOLERANCE_S, expiredForMs / 1000);
    try {
      const { payload } = await jwtVerify(token, secret, { ...this.rules(['HS256']), clockTolerance });
      return guestPrincipal(payload);
    } catch (error) {
      throw refusalOf(error);
    }
  }

  private async claimsOf(token: string, options: JWTVerifyOptions): Promise<JWTPayload> {
    try {
      return (await jwtVerify(token, this.keys.app.getKey, options)).payload;
    } catch (error) {
      if (error instanceof errors.JWKSMultipleMatchingKeys) return claimsByAnyOf(error, token, options);
      throw refusalOf(error);
    }
  }

  private rules(algorithms: readonly string[]): JWTVerifyOptions {
    return {
      algorithms: [...algorithms],
      requiredClaims: ['sub', 'exp'],
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(this.clock.now()),
    };
  }
}

/** For a token without a `kid`, where the key set has several keys that it may be signed with. */
async function claimsByAnyOf(
  keys: AsyncIterable<CryptoKey>,
  token: string,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  for await (const key of keys) {
    try {
      return (await jwtVerify(token, key, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw refusalOf(error);
    }
  }
  throw refusalOf(new errors.JWSSignatureVerificationFailed());
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
