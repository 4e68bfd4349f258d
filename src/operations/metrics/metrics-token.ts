import { createHash, timingSafeEqual } from 'node:crypto';

/** Whether an `Authorization` header carries `token` as Bearer, found out in a time that tells nothing of it. */
export function carriesToken(authorization: string | undefined, token: string): boolean {
  const given = /^\s*bearer\s+(.*?)\s*$/is.exec(authorization ?? '')?.[1];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
