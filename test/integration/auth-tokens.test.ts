import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Authenticator } from '../../src/auth/authenticator.js';
import { appToken, authUnder, rawToken, refusal, SECRET, temporaryFolder } from '../support/auth.js';

const SHARED = { AUTH_JWT_SECRET: SECRET };
const inOneHour = () => Math.floor(Date.now() / 1000) + 3600;

describe('with a shared secret', () => {
  it('a good token names its user', async () => {
    const { verifier } = await authUnder(SHARED);
    const exp = inOneHour();
    const token = await appToken(
      { exp, name: 'Alice', roles: ['admin'], jti: 'j' },
      { header: { typ: 'JWT' } },
    );
    expect(await verifier.verify(token)).toEqual({
      userId: 'alice',
      name: 'Alice',
      roles: ['admin'],
      isAdmin: true,
      guest: false,
      jti: 'j',
      expiresAt: exp * 1000,
    });
  });

  it.each(['JWT', 'jwt', 'at+jwt', 'application/at+jwt'])(
    'a token of the type %s is accepted',
    async (typ) => {
      const { verifier } = await authUnder(SHARED);
      expect((await verifier.verify(await appToken({}, { header: { typ } }))).userId).toBe('alice');
    },
  );

  const other = new TextEncoder().encode('another secret that has 32 characters as well');
  const claims = { sub: 'alice', exp: inOneHour() };
  const refused: [string, () => string | Promise<string>][] = [
    ['empty', () => ''],
    ['no token at all', () => 'hello'],
    ['dots alone', () => '..'],
    ['two parts', async () => (await appToken()).split('.').slice(0, 2).join('.')],
    ['five parts, as if encrypted', async () => `${await appToken()}.a.b`],
    ['a space in it', async () => (await appToken()).replace('.', '. ')],
    ['longer than 8 KiB', () => appToken({ pad: 'x'.repeat(8192) })],
    ['alg none', () => rawToken({ alg: 'none' }, claims)],
    ['alg None', () => rawToken({ alg: 'None' }, claims)],
    ['no alg', () => rawToken({}, claims, 'AAAA')],
    ['alg HS512 with the right secret', () => appToken({}, { header: { alg: 'HS512' } })],
    ['alg RS256', () => rawToken({ alg: 'RS256' }, claims, 'AAAA')],
    ['signed with another secret', () => appToken({}, { key: other })],
    ['no signature', async () => (await appToken()).replace(/[^.]*$/, '')],
    [
      'other claims under an old signature',
      async () => {
        const [header, , signature] = (await appToken()).split('.');
        return `${header}.${rawToken({}, { sub: 'bob', exp: inOneHour() }).split('.')[1]}.${signature}`;
      },
    ],
    ['an unknown crit', () => rawToken({ alg: 'HS256', crit: ['x'], x: 1 }, claims, 'AAAA')],
    ['a header that is no object', () => rawToken('[]', claims, 'AAAA')],
    ['a typ that is a number', () => rawToken({ alg: 'HS256', typ: 5 }, claims, 'AAAA')],
    ['a typ of another purpose', () => appToken({}, { header: { typ: 'logout+jwt' } })],
    ['no exp', () => appToken({ exp: undefined })],
    ['an exp that is a string', () => appToken({ exp: 'tomorrow' })],
    ['not yet good', () => appToken({ nbf: inOneHour() })],
    ['no sub', () => appToken({ sub: undefined })],
    ['an empty sub', () => appToken({ sub: '' })],
    ['a sub that is a number', () => appToken({ sub: 7 })],
    ['a sub with a control character', () => appToken({ sub: 'a\u0000b' })],
    ['a sub that is too long', () => appToken({ sub: 'x'.repeat(257) })],
    ['the assistant as sub', () => appToken({ sub: 'assistant' })],
    ['the system as sub', () => appToken({ sub: 'system' })],
    ['a guest as sub', () => appToken({ sub: 'guest:abc' })],
    ['a user as sub of a guest token', () => appToken({}, { header: { typ: 'guest+jwt' } })],
    [
      'a guest token signed with another secret',
      () => appToken({ sub: 'guest:abc' }, { key: other, header: { typ: 'guest+jwt' } }),
    ],
    [
      'a guest token with another alg',
      () => appToken({ sub: 'guest:abc' }, { header: { alg: 'HS512', typ: 'guest+jwt' } }),
    ],
    [
      'a guest token without exp',
      () => appToken({ sub: 'guest:abc', exp: undefined }, { header: { typ: 'guest+jwt' } }),
    ],
    ['roles that are no list', () => appToken({ roles: 'admin' })],
    ['a name that is no string', () => appToken({ name: { first: 'A' } })],
  ];

  it.each(refused)('a token is unauthenticated: %s (P11)', async (_, make) => {
    const { verifier } = await authUnder(SHARED);
    const token = await make();
    const error = await refusal(verifier.verify(token), token);
    expect(error).toMatchObject({ code: 'unauthenticated', retryable: false });
  });

  it('an expired token is token_expired, five seconds late', async () => {
    const { verifier, clock } = await authUnder(SHARED);
    const token = await appToken({ exp: Math.floor(clock.now() / 1000) + 60 });
    clock.advance(63_000);
    expect((await verifier.verify(token)).userId).toBe('alice');
    clock.advance(3000);
    expect((await refusal(verifier.verify(token), token)).code).toBe('token_expired');
  });

  it.each(['iat', 'nbf'])('the %s of a token may be a minute ahead, and no more', async (claim) => {
    const { verifier, clock } = await authUnder(SHARED);
    const ahead = (seconds: number) => appToken({ [claim]: Math.floor(clock.now() / 1000) + seconds });
    expect((await verifier.verify(await ahead(58))).userId).toBe('alice');
    const token = await ahead(63);
    expect((await refusal(verifier.verify(token), token)).code).toBe('unauthenticated');
  });

  it.each(['iat', 'nbf'])('TOKEN_CLOCK_TOLERANCE_MS says how far ahead %s may be', async (claim) => {
    const { verifier, clock } = await authUnder({ ...SHARED, TOKEN_CLOCK_TOLERANCE_MS: '2000' });
    const ahead = (seconds: number) => appToken({ [claim]: Math.floor(clock.now() / 1000) + seconds });
    expect((await verifier.verify(await ahead(1))).userId).toBe('alice');
    const token = await ahead(4);
    expect((await refusal(verifier.verify(token), token)).code).toBe('unauthenticated');
  });

  it('an expired token that is forged besides is not called expired', async () => {
    const { verifier } = await authUnder(SHARED);
    const token = await appToken({ exp: 1 }, { key: other });
    expect((await refusal(verifier.verify(token), token)).code).toBe('unauthenticated');
  });

  it('no text at all does worse than unauthenticated (P11)', async () => {
    const { verifier } = await authUnder(SHARED);
    const part = fc.oneof(
      fc.string(),
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(part, { minLength: 2, maxLength: 5 }).map((p) => p.join('.')),
    );
    await fc.assert(
      fc.asyncProperty(text, async (token) => {
        await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'unauthenticated' });
      }),
      { numRuns: 500 },
    );
  });
});

describe('issuer and audience', () => {
  const env = { ...SHARED, AUTH_ISSUER: 'https://id.example', AUTH_AUDIENCE: 'chat' };
  const right = { iss: 'https://id.example', aud: ['other', 'chat'] };

  it('are accepted where they are right', async () => {
    const { verifier } = await authUnder(env);
    expect((await verifier.verify(await appToken(right))).userId).toBe('alice');
  });

  it.each([{ iss: undefined }, { iss: 'https://evil.example' }, { aud: undefined }, { aud: 'other' }])(
    'are refused with %j',
    async (wrong) => {
      const { verifier } = await authUnder(env);
      const token = await appToken({ ...right, ...wrong });
      expect((await refusal(verifier.verify(token), token)).code).toBe('unauthenticated');
    },
  );

  it('are not asked of guests', async () => {
    const { verifier, guests } = await authUnder(env);
    const { token, userId } = await guests.issue({});
    expect(await verifier.verify(token)).toMatchObject({ userId, guest: true });
  });
});

describe('without any key', () => {
  it('the secret that was made signs users and guests, also after a restart', async () => {
    const DATA_DIR = join(temporaryFolder(), 'made', 'here');
    const first = await authUnder({ DATA_DIR });
    const { token } = await first.guests.issue({});
    const again = await authUnder({ DATA_DIR });
    expect((await again.verifier.verify(token)).guest).toBe(true);
    const user = await appToken({}, { key: again.keys.own[0] });
    expect((await first.verifier.verify(user)).userId).toBe('alice');
  });
});

describe('the authenticator', () => {
  async function under(env: Record<string, string>) {
    const { config, verifier } = await authUnder({ ...SHARED, ...env });
    return new Authenticator(config, verifier);
  }

  it('asks for a token where one is required', async () => {
    const door = await under({});
    await expect(door.authenticate(undefined)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect((await door.authenticate(await appToken())).userId).toBe('alice');
  });

  it('makes everyone without a token a new guest where none is required', async () => {
    const door = await under({ AUTH_REQUIRED: 'false' });
    const [one, two] = await Promise.all([door.authenticate(undefined), door.authenticate(undefined)]);
    expect(one).toMatchObject({ guest: true, roles: [], isAdmin: false, expiresAt: Infinity });
    expect(one.userId).toMatch(/^guest:[\w-]{22}$/);
    expect(two.userId).not.toBe(one.userId);
  });

  it.each([null, '', 7, {}, ['a'], 'malformed'])('refuses the token %j in either case', async (token) => {
    for (const AUTH_REQUIRED of ['true', 'false']) {
      const door = await under({ AUTH_REQUIRED });
      await expect(door.authenticate(token)).rejects.toMatchObject({ code: 'unauthenticated' });
    }
  });
});
