import { exportSPKI, generateKeyPair } from 'jose';
import { describe, expect, it } from 'vitest';
import { loadAuthKeys } from '../../src/auth/tokens/auth-keys.js';
import { readConfig } from '../../src/platform/config/config.js';
import { appToken, authUnder, refusal, temporaryFolder } from '../support/auth.js';

const OLD = 'the old secret of thirty-two characters or more';
const NEW = 'the new secret of thirty-two characters or more';
const key = (secret: string): Uint8Array => new TextEncoder().encode(secret);

describe('several secrets', () => {
  it('are all good, and the first signs', async () => {
    const before = await authUnder({ AUTH_JWT_SECRET: OLD });
    const during = await authUnder({ AUTH_JWT_SECRET: `${NEW}, ${OLD}` });
    const after = await authUnder({ AUTH_JWT_SECRET: NEW });
    const guest = await before.guests.issue({ name: 'Bo' });
    const oldToken = await appToken({}, { key: key(OLD) });
    for (const token of [oldToken, await appToken({}, { key: key(NEW) })]) {
      expect((await during.verifier.verify(token)).userId).toBe('alice');
    }
    const renewed = await during.guests.issue({ renew: guest.token });
    expect((await after.verifier.verify(renewed.token)).userId).toBe(guest.userId);
    expect((await refusal(after.verifier.verify(oldToken), oldToken)).code).toBe('unauthenticated');
    expect((await refusal(after.verifier.verify(guest.token), guest.token)).code).toBe('unauthenticated');
  });

  it('tell an expired token from a foreign one, whichever has signed it', async () => {
    const { verifier } = await authUnder({ AUTH_JWT_SECRET: `${NEW},${OLD}` });
    for (const secret of [NEW, OLD]) {
      const token = await appToken({ exp: 1 }, { key: key(secret) });
      expect((await refusal(verifier.verify(token), token)).code).toBe('token_expired');
    }
    const foreign = await appToken(
      { exp: 1 },
      { key: key('a third secret of thirty-two characters or more') },
    );
    expect((await refusal(verifier.verify(foreign), foreign)).code).toBe('unauthenticated');
  });

  it('must each be long enough', () => {
    expect(() => readConfig({ AUTH_JWT_SECRET: `${NEW},short` })).toThrow(/AUTH_JWT_SECRET .*32 characters/);
  });
});

describe('several public keys', () => {
  it('of different kinds are all good, each with its own algorithms', async () => {
    const pairs = await Promise.all(
      ['RS256', 'ES256', 'EdDSA'].map(async (alg) => ({ alg, ...(await generateKeyPair(alg)) })),
    );
    const pems = await Promise.all(pairs.map(({ publicKey }) => exportSPKI(publicKey)));
    for (const text of [pems.join('\n'), pems.join('').replaceAll('\n', '\\n')]) {
      const { verifier } = await authUnder({ AUTH_JWT_PUBLIC_KEY: text });
      for (const { alg, privateKey } of pairs) {
        const token = await appToken({}, { key: privateKey, header: { alg } });
        expect((await verifier.verify(token)).userId).toBe('alice');
      }
      const { privateKey } = await generateKeyPair('ES256');
      const foreign = await appToken({}, { key: privateKey, header: { alg: 'ES256' } });
      expect((await refusal(verifier.verify(foreign), foreign)).code).toBe('unauthenticated');
      const shared = await appToken({}, { key: key(pems[0] ?? '') });
      expect((await refusal(verifier.verify(shared), shared)).code).toBe('unauthenticated');
    }
  });

  it.each(['before', 'behind'])(
    'with something else %s them end the start with a sentence',
    async (where) => {
      const pem = await exportSPKI((await generateKeyPair('ES256')).publicKey);
      const text = where === 'before' ? `key: ${pem}` : `${pem}\n-----BEGIN PUBLIC KEY-----\nAAAA`;
      const config = readConfig({ DATA_DIR: temporaryFolder(), AUTH_JWT_PUBLIC_KEY: text });
      await expect(loadAuthKeys(config)).rejects.toMatchObject({ name: 'ConfigError' });
    },
  );
});

it('A ticket is signed with the secret kept in DATA_DIR where tokens are signed elsewhere.', async () => {
  const pem = await exportSPKI((await generateKeyPair('ES256')).publicKey);
  const { tickets, verifier } = await authUnder({ AUTH_JWT_PUBLIC_KEY: pem, GUEST_ACCESS: 'false' });
  const alice = { userId: 'alice', roles: ['x'], isAdmin: false, guest: false, expiresAt: Date.now() + 1000 };
  const { ticket } = await tickets.issue({ ...alice, jti: 'j', issuedAt: 5000 }, 's1');
  const { expiresAt: _, ...expected } = alice;
  const reader = await tickets.verify(ticket, 's1');
  expect(reader).toMatchObject({ ...expected, jti: 'j', issuedAt: 5000 });
  expect((await refusal(verifier.verify(ticket), ticket)).code).toBe('unauthenticated');
  expect((await refusal(tickets.verify(ticket, 's2'), ticket)).code).toBe('unauthenticated');
});
