import type { JWTPayload } from 'jose';
import { ASSISTANT_ID, cleanText, GUEST_PREFIX, isUserId, LIMITS } from '../protocol/index.js';
import type { Principal } from './principal.js';
import { unauthenticated } from './token-errors.js';

/** User ids that senders of the service itself have: no token may have one as its `sub`. */
const RESERVED_IDS: readonly string[] = [ASSISTANT_ID, 'system'];

const NO_ROLES: readonly string[] = Object.freeze([]);

/** The latest moment that a Date can hold (ECMA-262): a token that ends later counts as never ending. */
const LAST_MOMENT_MS = 8.64e15;

/** Whether an application's token may name `sub` as its user: a user id that is neither reserved nor a guest's. */
export function isAppUserId(sub: unknown): sub is string {
  return isUserId(sub) && !RESERVED_IDS.includes(sub) && !sub.startsWith(GUEST_PREFIX);
}

/** What turns the direction of the text around it, and what takes no place: a name of these could look like another's. */
const DISGUISES = /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
const VISIBLE = /[^\s\p{Default_Ignorable_Code_Point}]/u;

/**
 * `name` on one line, without control characters and those of {@link DISGUISES}, at most 128 code points; undefined where
 * nothing is left of it that can be seen.
 */
export function displayName(name: string): string | undefined {
  const line = cleanText(name.replaceAll(DISGUISES, '').replaceAll(/\s+/g, ' ')).trim();
  const short = Array.from(line).slice(0, LIMITS.nameChars).join('').trim();
  return VISIBLE.test(short) ? short : undefined;
}

/**
 * The principal of an application's token whose signature and dates were checked.
 * @throws {DomainError} `unauthenticated` for a `sub`, `name`, `jti` or `roles` that cannot be accepted.
 */
export function appPrincipal(claims: JWTPayload): Principal {
  if (!isAppUserId(claims.sub)) throw unauthenticated('The sub of the token is not a user id.');
  const roles = readRoles(claims['roles']);
  return { userId: claims.sub, roles, isAdmin: roles.includes('admin'), guest: false, ...common(claims) };
}

/**
 * The principal of a guest token whose signature was checked. Guests have no roles, whatever the token says.
 * @throws {DomainError} `unauthenticated` where its `sub` is no guest's.
 */
export function guestPrincipal(claims: JWTPayload): Principal {
  const { sub } = claims;
  if (!isUserId(sub) || !sub.startsWith(GUEST_PREFIX)) {
    throw unauthenticated('The sub of the token is not a guest.');
  }
  return { userId: sub, roles: NO_ROLES, isAdmin: false, guest: true, ...common(claims) };
}

/** To be spread last: V8 gives each object that begins with a spread a hidden class of its own, larger than the object. */
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

/** One that is no string could not be named by a revocation. */
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
