import { describe, expect, it } from 'vitest';
import { appToken, authUnder, SECRET } from '../support/auth.js';

const TTL_MS = 60_000;
const ENV = { AUTH_JWT_SECRET: SECRET, GUEST_TOKEN_TTL_MS: String(TTL_MS) };

describe('a guest', () => {
  it('gets a token that is good until it says', async () => {
    const { guests, verifier, clock } = await authUnder(ENV);
    const { token, userId, expiresAt } = await guests.issue({ name: '  Bo  ' });
    expect(userId).toMatch(/^guest:[\w-]{22}$/);
    expect(await verifier.verify(token)).toMatchObject({
      userId,
      name: 'Bo',
      roles: [],
      isAdmin: false,
      guest: true,
      expiresAt: Date.parse(expiresAt),
    });
    expect(Date.parse(expiresAt) - clock.now()).toBeGreaterThanOrEqual(TTL_MS);
    clock.advance(TTL_MS + 7000);
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'token_expired' });
  });

  it('is another each time', async () => {
    const { guests } = await authUnder(ENV);
    const ids = await Promise.all(Array.from({ length: 50 }, async () => (await guests.issue({})).userId));
    expect(new Set(ids).size).toBe(50);
  });

  it.each([
    ['good', 1000],
    ['expired a moment ago', TTL_MS + 8000],
    ['expired just less than its life ago', 2 * TTL_MS - 2000],
  ])('renews a token that is %s, and stays the same', async (_, afterMs) => {
    const { guests, verifier, clock } = await authUnder(ENV);
    const first = await guests.issue({ name: 'Bo' });
    clock.advance(afterMs);
    const second = await guests.issue({ renew: first.token });
    expect(await verifier.verify(second.token)).toMatchObject({ userId: first.userId, name: 'Bo' });
    expect(Date.parse(second.expiresAt)).toBeGreaterThan(clock.now() + TTL_MS - 1);
  });

  it('may change the name when renewing', async () => {
    const { guests, verifier } = await authUnder(ENV);
    const first = await guests.issue({ name: 'Bo' });
    const second = await guests.issue({ renew: first.token, name: 'Bea' });
    expect(await verifier.verify(second.token)).toMatchObject({ userId: first.userId, name: 'Bea' });
  });

  it('cannot renew what has been expired for too long', async () => {
    const { guests, clock } = await authUnder(ENV);
    const { token } = await guests.issue({});
    clock.advance(2 * TTL_MS + 2000);
    await expect(guests.issue({ renew: token })).rejects.toMatchObject({ code: 'token_expired' });
  });

  const guestHeader = { header: { typ: 'guest+jwt' } };
  const wrong = new TextEncoder().encode('x'.repeat(40));
  it.each([
    ['is empty', async () => ''],
    ['is malformed', async () => 'malformed'],
    ["is the application's", () => appToken()],
    ["is the application's with a guest as sub", () => appToken({ sub: 'guest:abc' })],
    ['is forged', () => appToken({ sub: 'guest:abc' }, { ...guestHeader, key: wrong })],
    ['names a user', () => appToken({ sub: 'alice' }, guestHeader)],
  ])('is refused where the token to renew %s', async (_, make) => {
    const { guests } = await authUnder(ENV);
    await expect(guests.issue({ renew: await make() })).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('gets no token where guest access is off, and no old one is good', async () => {
    const { token } = await (await authUnder(ENV)).guests.issue({});
    const { guests, verifier } = await authUnder({ ...ENV, GUEST_ACCESS: 'false' });
    await expect(guests.issue({})).rejects.toMatchObject({ code: 'forbidden' });
    await expect(guests.issue({ renew: token })).rejects.toMatchObject({ code: 'forbidden' });
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('may use an old token if the server requires none', async () => {
    const { token, userId } = await (await authUnder(ENV)).guests.issue({});
    const open = await authUnder({ ...ENV, GUEST_ACCESS: 'false', AUTH_REQUIRED: 'false' });
    expect((await open.verifier.verify(token)).userId).toBe(userId);
    await expect(open.guests.issue({})).rejects.toMatchObject({ code: 'forbidden' });
  });
});
