import type { JWTPayload } from 'jose';
import { ASSISTANT_ID, cleanText, GUEST_PREFIX, isUserId, LIMITS } from '../../protocol/index.js';
import type { Principal } from '../principal.js';
import { unauthenticated } from './token-errors.js';

/** User ids of the service itself. No token may have one as its `sub`. */
const RESERVED_IDS: readonly string[] = [ASSISTANT_ID, 'system'];

const NO_ROLES: readonly string[] = Object.freeze([]);

/** The latest time that a Date can hold (ECMA-262). A token that expires later counts as one that never expires. */
const LAST_MOMENT_MS = 8.64e15;

/** Whether an application's token may have this `sub`: a user id that is neither reserved nor a guest's. */
export function isAppUserId(sub: unknown): sub is string {
  return isUserId(sub) && !RESERVED_IDS.includes(sub) && !sub.startsWith(GUEST_PREFIX);
}

/** Characters without width, or that reverse the text around them. A name with them could look like another user's name. */
const DECEPTIVE = /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
const VISIBLE = /[^\s\p{Default_Ignorable_Code_Point}]/u;

/**
 * Returns `name` on one line, without control and {@link DECEPTIVE} characters, cut to 128 code points; undefined when
 * nothing visible is left.
 */
export function displayName(name: string): string | undefined {
  const line = cleanText(name.replaceAll(DECEPTIVE, '').replaceAll(/\s+/g, ' ')).trim();
  const short = Array.from(line).slice(0, LIMITS.nameChars).join('').trim();
  return VISIBLE.test(short) ? short : undefined;
}

/**
 * Makes the principal of an application's token. The caller has verified its signature and dates.
 * @throws {DomainError} `unauthenticated` for an invalid `sub`, `name`, `jti` or `roles`.
 */
export function appPrincipal(claims: JWTPayload): Principal {
  if (!isAppUserId(claims.sub)) throw unauthenticated('The sub of the token is not a user id.');
  const roles = readRoles(claims['roles']);
  return { userId: claims.sub, roles, isAdmin: roles.includes('admin'), guest: false, ...common(claims) };
}

/**
 * Makes the principal of a guest token. The caller has verified its signature. Guests have no roles, whatever the token
 * says.
 * @throws {DomainError} `unauthenticated` when its `sub` is not a guest's.
 */
export function guestPrincipal(claims: JWTPayload): Principal {
  const { sub } = claims;
  if (!isUserId(sub) || !sub.startsWith(GUEST_PREFIX)) {
    throw unauthenticated('The sub of the token is not a guest id.');
  }
  return { userId: sub, roles: NO_ROLES, isAdmin: false, guest: true, ...common(claims) };
}

/** Spread this last: V8 gives each object that starts with a spread its own hidden class, which is larger than the object. */
function common({
  name,
  jti,
  iat,
  exp = 0,
}: JWTPayload): Pick<Principal, 'name' | 'jti' | 'issuedAt' | 'expiresAt'> {
  const shown = readName(name);
  const expiresAt = exp * 1000;
  return {
    ...(shown !== undefined && { name: shown }),
    ...readTokenId(jti),
    ...(iat !== undefined && { issuedAt: iat * 1000 }),
    expiresAt: expiresAt > LAST_MOMENT_MS ? Infinity : Math.floor(expiresAt),
  };
}

function readName(name: unknown): string | undefined {
  if (name === undefined || name === null) return undefined;
  if (typeof name !== 'string') throw unauthenticated('The name in the token must be a string.');
  return displayName(name);
}

/** Refuses a `jti` that is not a string: a revocation could not name it. */
function readTokenId(jti: unknown): Pick<Principal, 'jti'> {
  if (jti === undefined || jti === null) return {};
  if (typeof jti !== 'string') throw unauthenticated('The jti of the token must be a string.');
  return { jti };
}

function readRoles(roles: unknown): readonly string[] {
  if (roles === undefined || roles === null) return NO_ROLES;
  if (!Array.isArray(roles) || !roles.every((role) => typeof role === 'string')) {
    throw unauthenticated('The roles in the token must be a list of strings.');
  }
  return Object.freeze([...roles]);
}
