import { appToken } from './auth.js';
import { TEST_SECRET } from './server.js';

/** The key of the test server's tokens. */
export const TEST_KEY = new TextEncoder().encode(TEST_SECRET);

export interface TokenOptions extends Record<string, unknown> {
  /** How long it is good, in milliseconds; may be negative. Default an hour. */
  ttlMs?: number;
}

/** A token of `sub` as the test server accepts it, with other claims beside. */
export function token(sub: string, { ttlMs = 3_600_000, ...claims }: TokenOptions = {}): Promise<string> {
  return appToken({ sub, exp: (Date.now() + ttlMs) / 1000, ...claims }, { key: TEST_KEY });
}
