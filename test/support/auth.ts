import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT, type CryptoKey } from 'jose';
import { afterAll, expect } from 'vitest';
import { loadAuthKeys } from '../../src/auth/tokens/auth-keys.js';
import { GuestService } from '../../src/auth/tokens/guest.service.js';
import { RevocationList } from '../../src/auth/revocations/revocation-list.js';
import { TicketService } from '../../src/auth/tokens/ticket.service.js';
import { TokenVerifier } from '../../src/auth/tokens/token-verifier.js';
import { DomainError } from '../../src/common/domain-error.js';
import { readConfig } from '../../src/platform/config/config.js';
import { StandingClock } from './standing-clock.js';

/** A shared secret as AUTH_JWT_SECRET takes it. */
export const SECRET = 'a shared secret for tests of 32 characters or more';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A new folder of the test's own, removed after the file's last test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'streamgate-auth-'));
  folders.push(folder);
  return folder;
}

/** The auth room's services under `env` (DATA_DIR is a new folder unless given), with a clock to move. */
export async function authUnder(env: Record<string, string>, clock = new StandingClock(Date.now())) {
  const config = readConfig({ DATA_DIR: temporaryFolder(), ...env });
  const keys = await loadAuthKeys(config);
  const revoked = new RevocationList();
  const verifier = new TokenVerifier(config, keys, clock, revoked);
  const guests = new GuestService(config, keys, verifier, clock);
  const tickets = new TicketService(config, keys, verifier, clock);
  return { config, keys, clock, revoked, verifier, guests, tickets };
}

interface Signing {
  key?: Uint8Array | CryptoKey;
  header?: { alg?: string; typ?: string; kid?: string };
}

/** A token of the application for alice, good for an hour; `claims` set to undefined are left out. */
export function appToken(
  claims: Record<string, unknown> = {},
  { key, header }: Signing = {},
): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 3600;
  return new SignJWT({ sub: 'alice', exp, ...claims })
    .setProtectedHeader({ alg: 'HS256', ...header })
    .sign(key ?? new TextEncoder().encode(SECRET));
}

/** A token made of any header and claims, with `signature` as it is: what `jose` would not sign. */
export function rawToken(header: unknown, claims: unknown, signature = ''): string {
  return `${encode(header)}.${encode(claims)}.${signature}`;
}

function encode(part: unknown): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

/** The refusal that `promise` ends in, after a look that nothing of the token is in it (P11). */
export async function refusal(promise: Promise<unknown>, token: string): Promise<DomainError> {
  const error = await promise.then(
    () => expect.unreachable('the token was accepted'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DomainError);
  const refused = error as DomainError;
  const told = JSON.stringify([refused.message, refused.toWire('c'), String(refused.cause)]);
  for (const part of token.split('.').filter((text) => text.length > 8)) expect(told).not.toContain(part);
  return refused;
}
