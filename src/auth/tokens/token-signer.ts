import { SignJWT } from 'jose';

/** Content of a token; times in milliseconds since 1970. */
export interface TokenContent {
  readonly sub: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly jti: string;
  /** JOSE header `typ`. */
  readonly type: string;
  /** Further claims. Undefined ones are omitted. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Signs `content` as a JWT with HS256. `iat` is rounded down to whole seconds, `exp` up. */
export function signToken(content: TokenContent, secret: Uint8Array): Promise<string> {
  return new SignJWT({ ...content.claims })
    .setProtectedHeader({ alg: 'HS256', typ: content.type })
    .setSubject(content.sub)
    .setJti(content.jti)
    .setIssuedAt(Math.floor(content.issuedAt / 1000))
    .setExpirationTime(Math.ceil(content.expiresAt / 1000))
    .sign(secret);
}
