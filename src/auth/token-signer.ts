import { SignJWT } from 'jose';

/** What a token says; times in milliseconds since 1970. */
export interface TokenContent {
  readonly sub: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly jti: string;
  /** JOSE header `typ`. */
  readonly type: string;
  /** Further claims; those that are undefined are left out. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** `content` as a JWT signed with HS256. Times are rounded up to whole seconds. */
export function signToken(content: TokenContent, secret: Uint8Array): Promise<string> {
  return new SignJWT({ ...content.claims })
    .setProtectedHeader({ alg: 'HS256', typ: content.type })
    .setSubject(content.sub)
    .setJti(content.jti)
    .setIssuedAt(Math.floor(content.issuedAt / 1000))
    .setExpirationTime(Math.ceil(content.expiresAt / 1000))
    .sign(secret);
}
