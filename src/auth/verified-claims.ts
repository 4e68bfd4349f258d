import { errors, jwtVerify, type JWTPayload, type JWTVerifyOptions } from 'jose';
import type { KnownKey } from './auth-keys.js';
import { refusalOf } from './token-errors.js';

/** What every token is held to, whatever key it is signed with. */
export type Rules = Omit<JWTVerifyOptions, 'algorithms'>;

type Key = Exclude<Parameters<typeof jwtVerify>[1], (...args: never[]) => unknown>;
type Keys = Iterable<KnownKey> | AsyncIterable<KnownKey>;

/**
 * The claims of `token`, which must be signed with one of `keys` and keep the `rules`.
 * @throws {DomainError} as `refusalOf`.
 */
export async function claimsBy(keys: Keys, token: string, rules: Rules): Promise<JWTPayload> {
  let fault: unknown;
  for await (const key of keys) {
    try {
      return await claimsByOne(key, token, rules);
    } catch (error) {
      if (!isForAnotherKey(error)) throw refusalOf(error);
      fault = error;
    }
  }
  throw refusalOf(fault ?? new errors.JWSSignatureVerificationFailed());
}

async function claimsByOne({ key, algorithms }: KnownKey, token: string, rules: Rules): Promise<JWTPayload> {
  const options = { ...rules, algorithms: [...algorithms] };
  if (typeof key !== 'function') return (await jwtVerify(token, key, options)).payload;
  try {
    return (await jwtVerify(token, key, options)).payload;
  } catch (error) {
    // A token without a `kid`, where the key set has several keys that it may be signed with.
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    return claimsBy(known(error, algorithms), token, rules);
  }
}

async function* known(keys: AsyncIterable<Key>, algorithms: readonly string[]): AsyncIterable<KnownKey> {
  for await (const key of keys) yield { key, algorithms } as KnownKey;
}

/** Another key may still fit: signatures are looked at before claims are. */
function isForAnotherKey(error: unknown): boolean {
  return error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JOSEAlgNotAllowed;
}
