import { describe, expect, it } from 'vitest';
import { appPrincipal, displayName, guestPrincipal, isAppUserId } from './claims.js';

describe('the display name', () => {
  it.each([
    ['Alice', 'Alice'],
    ['  Alice \n\t Smith ', 'Alice Smith'],
    ['a\u0000b\ud800', 'a\ufffdb\ufffd'],
    ['\u{1f600}'.repeat(200), '\u{1f600}'.repeat(128)],
    ['', undefined],
    [' \n ', undefined],
    ['\u202eecilA\u202c', 'ecilA'],
    ['Al\u200bice\u2066', 'Alice'],
    ['\u200b \u200d\ufeff\u3164', undefined],
    ['\u{1f469}\u200d\u{1f467}', '\u{1f469}\u200d\u{1f467}'],
  ])('makes of %j %j', (name, shown) => {
    expect(displayName(name)).toBe(shown);
  });
});

describe('the user id of an application', () => {
  it.each(['alice', 'auth0|5f7c', 'Ünï@example.org', 'guest', 'assistant2', 'x'.repeat(256)])(
    'may be %j',
    (sub) => {
      expect(isAppUserId(sub)).toBe(true);
    },
  );

  it.each([
    '',
    'assistant',
    'system',
    'guest:',
    'guest:abc',
    'a\u0000',
    '\ud800',
    'x'.repeat(257),
    7,
    null,
    undefined,
  ])('may not be %j', (sub) => {
    expect(isAppUserId(sub)).toBe(false);
  });
});

describe('the principal', () => {
  it('of a full token has everything', () => {
    const claims = {
      sub: 'alice',
      name: 'Alice',
      roles: ['admin', 'staff'],
      jti: 'j1',
      exp: 1_900_000_000.5,
    };
    expect(appPrincipal(claims)).toEqual({
      userId: 'alice',
      name: 'Alice',
      roles: ['admin', 'staff'],
      isAdmin: true,
      guest: false,
      jti: 'j1',
      expiresAt: 1_900_000_000_500,
    });
  });

  it('of a bare token has no roles and is no admin', () => {
    const bare = { userId: 'alice', roles: [], isAdmin: false, guest: false, expiresAt: 1000 };
    expect(appPrincipal({ sub: 'alice', exp: 1 })).toEqual(bare);
    expect(appPrincipal({ sub: 'alice', exp: 1, name: null, roles: null })).toEqual(bare);
  });

  it('never ends where the token ends beyond what a Date can hold', () => {
    for (const exp of [1e300, Infinity]) expect(appPrincipal({ sub: 'alice', exp }).expiresAt).toBe(Infinity);
    expect(() =>
      new Date(appPrincipal({ sub: 'alice', exp: 8.64e12 }).expiresAt).toISOString(),
    ).not.toThrow();
  });

  it('of a guest has no roles, whatever the token says', () => {
    const guest = guestPrincipal({ sub: 'guest:x', exp: 1, roles: ['admin'] });
    expect(guest).toEqual({ userId: 'guest:x', roles: [], isAdmin: false, guest: true, expiresAt: 1000 });
  });

  it.each([
    { sub: 'alice', exp: 1, roles: 'admin' },
    { sub: 'alice', exp: 1, roles: ['admin', 1] },
    { sub: 'alice', exp: 1, name: 5 },
    { sub: 'alice', exp: 1, jti: 5 as unknown as string },
    { sub: 'assistant', exp: 1 },
    { sub: 'guest:x', exp: 1 },
  ])('is refused to the claims %j', (claims) => {
    expect(() => appPrincipal(claims)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
  });
});
