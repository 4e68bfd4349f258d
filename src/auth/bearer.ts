/**
 * The token in an `Authorization` header (RFC 6750, 2.1): undefined where there is none, or one of another scheme (a
 * proxy's Basic, say); empty where `Bearer` stands alone.
 */
export function bearerToken(authorization: string | undefined): string | undefined {
  const found = /^\s*bearer(?:\s+(.*))?$/is.exec(authorization ?? '');
  return found ? (found[1] ?? '').trim() : undefined;
}
