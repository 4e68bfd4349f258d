import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { appToken, authUnder } from '../support/auth.js';

interface Key {
  jwk: JWK;
  sign: () => Promise<string>;
}

/** A key server whose keys and manners the test changes. */
class KeyServer {
  keys: JWK[] = [];
  status = 200;
  body: string | undefined;
  requests = 0;
  private readonly server: Server = createServer((_, response) => {
    this.requests += 1;
    response.writeHead(this.status, { 'content-type': 'application/json' });
    response.end(this.body ?? JSON.stringify({ keys: this.keys }));
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/keys`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    if (this.server.listening) await new Promise((resolve) => this.server.close(resolve));
  }
}

async function makeKey(kid: string | undefined, alg = 'ES256'): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const id = kid === undefined ? {} : { kid };
  const sign = () => appToken({}, { key: privateKey, header: { alg, ...id } });
  return { jwk: { ...(await exportJWK(publicKey)), ...id, alg, use: 'sig' }, sign };
}

describe('with a key server', () => {
  let server: KeyServer;
  let url: string;
  let one: Key;
  let two: Key;

  beforeAll(async () => {
    [one, two] = await Promise.all([makeKey('one'), makeKey('two', 'RS256')]);
  });

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    server = new KeyServer();
    url = await server.start();
    server.keys = [one.jwk];
  });

  afterEach(async () => {
    vi.useRealTimers();
    await server.stop();
  });

  const verifierThere = async () => (await authUnder({ AUTH_JWKS_URL: url })).verifier;

  it('the keys are asked for once for many tokens', async () => {
    const verifier = await verifierThere();
    const tokens = await Promise.all(Array.from({ length: 20 }, () => one.sign()));
    const principals = await Promise.all(tokens.map((token) => verifier.verify(token)));
    expect(principals.map(({ userId }) => userId)).toEqual(Array(20).fill('alice'));
    expect(server.requests).toBe(1);
  });

  it('a new key is found after a rotation, and the old one is refused', async () => {
    const verifier = await verifierThere();
    await verifier.verify(await one.sign());
    server.keys = [two.jwk];
    vi.setSystemTime(Date.now() + 11_000);
    expect((await verifier.verify(await two.sign())).userId).toBe('alice');
    await expect(verifier.verify(await one.sign())).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(server.requests).toBe(2);
  });

  it('tokens with unknown keys cannot make us ask again and again (P7)', async () => {
    const verifier = await verifierThere();
    await verifier.verify(await one.sign());
    for (let count = 0; count < 20; count += 1) {
      await expect(verifier.verify(await two.sign())).rejects.toMatchObject({ code: 'unauthenticated' });
    }
    expect(server.requests).toBe(1);
  });

  it('a token without kid is tried with every key that fits', async () => {
    const [a, b, stranger] = await Promise.all([makeKey(undefined), makeKey(undefined), makeKey(undefined)]);
    server.keys = [one.jwk, a.jwk, b.jwk];
    const verifier = await verifierThere();
    expect((await verifier.verify(await b.sign())).userId).toBe('alice');
    await expect(verifier.verify(await stranger.sign())).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('a shared secret is refused, even one that the key server shows', async () => {
    const secret = new TextEncoder().encode('x'.repeat(32));
    server.keys = [{ kty: 'oct', kid: 'shared', k: Buffer.from(secret).toString('base64url') }];
    const verifier = await verifierThere();
    const token = await appToken({}, { key: secret, header: { kid: 'shared' } });
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  const troubles: [string, () => void | Promise<void>][] = [
    ['is away', () => server.stop()],
    ['answers 500', () => void (server.status = 500)],
    ['answers malformed', () => void (server.body = '<html>')],
    ['answers other JSON', () => void (server.body = '{"keys":7}')],
  ];

  it.each(troubles)('a good token is to be tried again where the key server %s', async (_, trouble) => {
    const verifier = await verifierThere();
    await trouble();
    await expect(verifier.verify(await one.sign())).rejects.toMatchObject({
      code: 'internal',
      retryable: true,
    });
  });

  it('a user signs in again when the key server has recovered', async () => {
    const verifier = await verifierThere();
    server.status = 503;
    await expect(verifier.verify(await one.sign())).rejects.toMatchObject({ retryable: true });
    server.status = 200;
    expect((await verifier.verify(await one.sign())).userId).toBe('alice');
  });

  it('guests come in while it is away', async () => {
    const { verifier, guests } = await authUnder({ AUTH_JWKS_URL: url });
    await server.stop();
    const { token, userId } = await guests.issue({});
    expect((await verifier.verify(token)).userId).toBe(userId);
  });

  it('a URL with a password ends the start', async () => {
    const AUTH_JWKS_URL = url.replace('//', '//me:secret@');
    await expect(authUnder({ AUTH_JWKS_URL })).rejects.toMatchObject({ name: 'ConfigError' });
  });
});
