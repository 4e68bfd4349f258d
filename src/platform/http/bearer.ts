import { createHash, timingSafeEqual } from 'node:crypto';

const SCHEME = 'bearer';
const SPACE = 0x20;
const TAB = 0x09;

/**
 * Returns the token in an `Authorization` header (RFC 6750, 2.1): undefined if there is none, or one of another scheme
 * such as a proxy's Basic; empty for `Bearer` alone. Takes linear time, because clients choose the header.
 */
export function bearerToken(authorization = ''): string | undefined {
  const start = skipBlanks(authorization, 0);
  const schemeEnd = start + SCHEME.length;
  if (authorization.slice(start, schemeEnd).toLowerCase() !== SCHEME) return undefined;
  const tokenStart = skipBlanks(authorization, schemeEnd);
  if (tokenStart === schemeEnd && tokenStart < authorization.length) return undefined;
  let end = authorization.length;
  while (end > tokenStart && isBlank(authorization, end - 1)) end -= 1;
  return authorization.slice(tokenStart, end);
}

/** Whether an `Authorization` header carries `token` as Bearer. The time it takes reveals nothing about `token`. */
export function carriesToken(authorization: string | undefined, token: string): boolean {
  const given = bearerToken(authorization);
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

function skipBlanks(text: string, from: number): number {
  let index = from;
  while (index < text.length && isBlank(text, index)) index += 1;
  return index;
}

function isBlank(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code === SPACE || code === TAB;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
