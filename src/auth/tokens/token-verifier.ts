import { Inject, Injectable } from '@nestjs/common';
import { decodeProtectedHeader, errors, jwtVerify, type JWTPayload, type JWTVerifyOptions } from 'jose';
import { Clock } from '../../common/clock.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { AuthKeys, sharedSecret, type KnownKey } from './auth-keys.js';
import { appPrincipal, guestPrincipal } from './claims.js';
import type { Principal } from '../principal.js';
import { RevocationList } from '../revocations/revocation-list.js';
import { tokenExpired, toTokenError, unauthenticated } from './token-errors.js';

/** JOSE header `typ` of guest tokens. It distinguishes them from the application's tokens (RFC 8725, 3.11). */
export const GUEST_TOKEN_TYPE = 'guest+jwt';

/** Accepted `typ` of an application's token: none, plain, or an OAuth access token (RFC 9068). Other kinds of JWT do not sign users in. */
const APP_TOKEN_TYPES = new Set(['', 'jwt', 'at+jwt']);
const MAX_TOKEN_CHARS = 8192;
/** How long after its `exp` a token is still accepted, because clocks differ. */
const EXPIRY_TOLERANCE_S = 5;

/** Checks that apply to every token, whatever key signed it. */
type Checks = Omit<JWTVerifyOptions, 'algorithms'>;

/** Turns tokens into principals (protocol section 5.6). Its errors never quote a token. */
@Injectable()
export class TokenVerifier {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly keys: AuthKeys,
    private readonly clock: Clock,
    private readonly revocations: RevocationList,
  ) {}

  /**
   * Returns the user whom `token` names: a user of the application, or a guest.
   * @throws {DomainError} `token_expired`; `unauthenticated` for every other fault of the token, revocation included;
   * `internal`, retryable, when the keys are not available.
   */
  async verify(token: string): Promise<Principal> {
    const type = tokenType(token);
    if (type === GUEST_TOKEN_TYPE) return this.verifyGuest(token);
    if (!APP_TOKEN_TYPES.has(type)) throw unauthenticated('This kind of token cannot be used to sign in.');
    const { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = this.config;
    const claims = await verifyClaims(this.keys.app, token, {
      ...this.checks(),
      // Meant for `nbf`. It also applies to `exp`, which `checkDates` checks with a smaller tolerance.
      clockTolerance: this.config.TOKEN_CLOCK_TOLERANCE_MS / 1000,
      ...(issuer !== undefined && { issuer }),
      ...(audience !== undefined && { audience }),
    });
    this.checkDates(claims);
    return this.requireUnrevoked(appPrincipal(claims));
  }

  /**
   * Verifies like {@link verify}, but accepts guest tokens only.
   * @param expiredForMs how long ago the token may have expired; 0: as in {@link verify}.
   */
  async verifyGuest(token: string, expiredForMs = 0): Promise<Principal> {
    const admitsGuests = this.config.GUEST_ACCESS || !this.config.AUTH_REQUIRED;
    if (tokenType(token) !== GUEST_TOKEN_TYPE) throw unauthenticated('The token is not a guest token.');
    if (!admitsGuests) throw unauthenticated('This server does not admit guests.');
    return this.requireUnrevoked(guestPrincipal(await this.verifyOwn(token, GUEST_TOKEN_TYPE, expiredForMs)));
  }

  /**
   * Returns the claims of a token that the service itself issued, with the given `typ`.
   * @param expiredForMs as in {@link verifyGuest}.
   */
  async verifyOwn(token: string, type: string, expiredForMs = 0): Promise<JWTPayload> {
    if (tokenType(token) !== type) throw unauthenticated('This kind of token is not accepted here.');
    const clockTolerance = Math.max(EXPIRY_TOLERANCE_S, expiredForMs / 1000);
    return verifyClaims(this.keys.own.map(sharedSecret), token, { ...this.checks(), clockTolerance });
  }

  /** Returns `principal`. @throws {DomainError} `unauthenticated` when its token is revoked. */
  requireUnrevoked(principal: Principal): Principal {
    if (this.revocations.has(principal)) throw unauthenticated('The token was revoked.');
    return principal;
  }

  /** Refuses an expired token, and one from the future: revocations would not apply to it until then. */
  private checkDates({ iat = 0, exp = 0 }: JWTPayload): void {
    const now = this.clock.now();
    if (exp * 1000 <= now - EXPIRY_TOLERANCE_S * 1000) throw tokenExpired();
    if (iat * 1000 > now + this.config.TOKEN_CLOCK_TOLERANCE_MS) {
      throw unauthenticated(
        "The token's iat is in the future. Correct the issuer's clock, or raise TOKEN_CLOCK_TOLERANCE_MS.",
      );
    }
  }

  private checks(): Checks {
    return {
      requiredClaims: ['sub', 'exp'],
      clockTolerance: EXPIRY_TOLERANCE_S,
      currentDate: new Date(this.clock.now()),
    };
  }
}

/** Returns the `typ` of `token`, in lower case and without `application/` (RFC 7515, 4.1.9); empty when there is none. */
function tokenType(token: string): string {
  if (token.length > MAX_TOKEN_CHARS) throw unauthenticated('The token is too long.');
  try {
    const { typ = '' } = decodeProtectedHeader(token);
    return typ.toLowerCase().replace(/^application\//, '');
  } catch {
    throw unauthenticated(
      'The token is malformed: send the JSON Web Token alone, without “Bearer” or quotation marks.',
    );
  }
}

type Key = Exclude<Parameters<typeof jwtVerify>[1], (...args: never[]) => unknown>;

/**
 * Returns the claims of `token`, which must be signed with one of `keys` and pass the `checks`.
 * @throws {DomainError} as {@link toTokenError}.
 */
async function verifyClaims(
  keys: Iterable<KnownKey> | AsyncIterable<KnownKey>,
  token: string,
  checks: Checks,
): Promise<JWTPayload> {
  let lastError: unknown;
  for await (const key of keys) {
    try {
      return await verifyWith(key, token, checks);
    } catch (error) {
      if (!mayVerifyWithAnotherKey(error)) throw toTokenError(error);
      lastError = error;
    }
  }
  throw toTokenError(lastError ?? new errors.JWSSignatureVerificationFailed());
}

async function verifyWith({ key, algorithms }: KnownKey, token: string, checks: Checks): Promise<JWTPayload> {
  const options = { ...checks, algorithms: [...algorithms] };
  if (typeof key !== 'function') return (await jwtVerify(token, key, options)).payload;
  try {
    return (await jwtVerify(token, key, options)).payload;
  } catch (error) {
    // The token has no `kid`, and the key set has several keys that may have signed it.
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    return verifyClaims(withAlgorithms(error, algorithms), token, checks);
  }
}

async function* withAlgorithms(
  keys: AsyncIterable<Key>,
  algorithms: readonly string[],
): AsyncIterable<KnownKey> {
  for await (const key of keys) yield { key, algorithms } as KnownKey;
}

/** Whether another key may still verify the token: signatures are checked before claims. */
function mayVerifyWithAnotherKey(error: unknown): boolean {
  return error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JOSEAlgNotAllowed;
}
