import { describe, expect, it, vi } from 'vitest';
import { RevocationList, type TokenUser } from './revocation-list.js';

const alice = { userId: 'alice', jti: 'a1', issuedAt: 1000 };

describe('the revocation list', () => {
  it('knows tokens by their jti, whoever has them', () => {
    const list = new RevocationList();
    list.add([{ kind: 'jti', value: 'a1', at: 500 }]);
    expect(list.has(alice)).toBe(true);
    expect(list.has({ ...alice, jti: 'a2' })).toBe(false);
    expect(list.has({ userId: 'a1' })).toBe(false);
  });

  it.each([
    [{ userId: 'alice', issuedAt: 999 }, true],
    [{ userId: 'alice', issuedAt: 1000 }, true],
    [{ userId: 'alice', issuedAt: 1000.5 }, false],
    [{ userId: 'alice' }, true],
    [{ userId: 'bob', issuedAt: 999 }, false],
  ])('of a user at 1000 holds of %j: %j', (bearer, isRevoked) => {
    const list = new RevocationList();
    list.add([{ kind: 'sub', value: 'alice', at: 1000 }]);
    expect(list.has(bearer)).toBe(isRevoked);
  });

  it('keeps the latest of a user, in whatever order they come', () => {
    const list = new RevocationList();
    for (const at of [1000, 3000, 2000]) list.add([{ kind: 'sub', value: 'alice', at }]);
    expect(list.has({ userId: 'alice', issuedAt: 2500 })).toBe(true);
  });

  it('ends each user of a token once, at once where it is late, and none that is forgotten or not concerned', () => {
    const list = new RevocationList();
    const user = (principal: TokenUser['principal']) => ({ principal, endRevoked: vi.fn<() => void>() });
    const users = [user(alice), user(alice), user({ userId: 'bob', issuedAt: 0 }), user(alice)] as const;
    const [mine, stopped, other, late] = users;
    for (const watched of [mine, stopped, other]) list.watch(watched);
    list.forget(stopped);
    list.add([{ kind: 'sub', value: 'alice', at: 1000 }]);
    list.add([{ kind: 'jti', value: 'a1', at: 1000 }]);
    list.watch(late);
    expect(users.map(({ endRevoked }) => endRevoked.mock.calls.length)).toEqual([1, 0, 0, 1]);
  });
});
