import { generateKeyPairSync } from 'node:crypto';
import { exportSPKI, generateKeyPair } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadAuthKeys } from '../../src/auth/tokens/auth-keys.js';
import { readConfig } from '../../src/platform/config/config.js';
import { appToken, authUnder, refusal, temporaryFolder } from '../support/auth.js';

describe('with a public key', () => {
  it.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'])('%s is verified', async (alg) => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const pem = (await exportSPKI(publicKey)).replaceAll('\n', '\\n');
    const { verifier } = await authUnder({ AUTH_JWT_PUBLIC_KEY: pem });
    expect((await verifier.verify(await appToken({}, { key: privateKey, header: { alg } }))).userId).toBe(
      'alice',
    );
  });

  describe('of an RSA pair', () => {
    let pem: string;
    beforeAll(async () => {
      pem = await exportSPKI((await generateKeyPair('RS256', { extractable: true })).publicKey);
    });

    it('HS256 with the public key as the secret is refused', async () => {
      const { verifier } = await authUnder({ AUTH_JWT_PUBLIC_KEY: pem });
      for (const text of [pem, pem.trim()]) {
        const token = await appToken({}, { key: new TextEncoder().encode(text) });
        expect((await refusal(verifier.verify(token), token)).code).toBe('unauthenticated');
      }
    });

    it('another pair and another algorithm are refused', async () => {
      const { verifier } = await authUnder({ AUTH_JWT_PUBLIC_KEY: pem });
      for (const alg of ['RS256', 'RS512', 'ES256']) {
        const { privateKey } = await generateKeyPair(alg);
        const token = await appToken({}, { key: privateKey, header: { alg } });
        expect((await refusal(verifier.verify(token), token)).code).toBe('unauthenticated');
      }
    });

    it('guest tokens are signed with the secret in DATA_DIR, which signs in no other user', async () => {
      const { verifier, guests, keys } = await authUnder({ AUTH_JWT_PUBLIC_KEY: pem });
      const { token, userId } = await guests.issue({ name: 'Bo' });
      expect(await verifier.verify(token)).toMatchObject({ userId, name: 'Bo', guest: true, isAdmin: false });
      const forged = await appToken({}, { key: keys.own[0] });
      expect((await refusal(verifier.verify(forged), forged)).code).toBe('unauthenticated');
    });

    it('guest tokens are refused where guests are not admitted', async () => {
      const DATA_DIR = temporaryFolder();
      const { guests } = await authUnder({ DATA_DIR, AUTH_JWT_PUBLIC_KEY: pem });
      const { token } = await guests.issue({});
      const strict = await authUnder({ DATA_DIR, AUTH_JWT_PUBLIC_KEY: pem, GUEST_ACCESS: 'false' });
      expect((await refusal(strict.verifier.verify(token), token)).code).toBe('unauthenticated');
    });
  });

  const spki = { type: 'spki', format: 'pem' } as const;
  const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
  it.each([
    ['malformed', 'malformed'],
    ['a broken PEM', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----'],
    ['a private key', generateKeyPairSync('ed25519').privateKey.export(pkcs8).toString()],
    [
      'a short RSA key',
      generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export(spki).toString(),
    ],
    ['a key for agreement', generateKeyPairSync('x25519').publicKey.export(spki).toString()],
    [
      'another curve',
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export(spki).toString(),
    ],
  ])('the start ends with a sentence at %s', async (_, pem) => {
    const config = readConfig({ DATA_DIR: temporaryFolder(), AUTH_JWT_PUBLIC_KEY: pem });
    await expect(loadAuthKeys(config)).rejects.toMatchObject({
      name: 'ConfigError',
      faults: [expect.stringMatching(/^AUTH_JWT_PUBLIC_KEY .*\.$/)],
    });
  });
});
