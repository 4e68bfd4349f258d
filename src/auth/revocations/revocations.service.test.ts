import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MemoryRelay } from '../../platform/relay/memory-relay.js';
import type { Revocation } from '../../platform/relay/topics.js';
import { RevocationList } from './revocation-list.js';
import { Revocations } from './revocations.service.js';
import type { RevocationsStore } from './revocations.store.js';

const POLL_MS = 500;
const LOOK_BACK_MS = 10_000;
const EARLIER: Revocation = { kind: 'jti', value: 'earlier', at: 50_000 };

const since = vi.fn<RevocationsStore['since']>();
const add = vi.fn<RevocationsStore['add']>();
let list: RevocationList;
let relay: MemoryRelay;
let revocations: Revocations;

beforeEach(() => {
  vi.useFakeTimers();
  since.mockReset().mockResolvedValue([EARLIER]);
  add.mockReset();
  list = new RevocationList();
  relay = new MemoryRelay();
  revocations = new Revocations({ since, add } as Partial<RevocationsStore> as RevocationsStore, list, relay);
});

afterEach(async () => {
  await revocations.onApplicationShutdown();
  vi.useRealTimers();
});

function isRevoked(jti: string): boolean {
  return list.has({ userId: 'ann', jti, issuedAt: 0 });
}

test('Earlier revocations hold before the server starts', async () => {
  let finish = (_read: Revocation[]): void => {};
  since.mockReturnValueOnce(new Promise((resolve) => (finish = resolve)));
  const started = vi.fn<() => void>();
  const starting = revocations.onModuleInit().then(started);
  await vi.advanceTimersByTimeAsync(POLL_MS);
  const startedBefore = started.mock.calls.length;
  finish([EARLIER]);
  await starting;
  expect(startedBefore).toBe(0);
  expect(isRevoked('earlier')).toBe(true);
});

test('The server does not start when earlier revocations cannot be read', async () => {
  since.mockRejectedValueOnce(new Error('the database is unavailable'));
  await expect(revocations.onModuleInit()).rejects.toThrow('the database is unavailable');
});

test('A revocation that the relay lost is read within a second, also one that was committed late', async () => {
  await revocations.onModuleInit();
  since.mockResolvedValue([{ kind: 'jti', value: 'late', at: EARLIER.at - 1 }]);
  await vi.advanceTimersByTimeAsync(2 * POLL_MS);
  expect(isRevoked('late')).toBe(true);
  expect(since).toHaveBeenLastCalledWith(EARLIER.at - LOOK_BACK_MS);
});

test('A revocation holds on this node when it is committed, and on the others at once', async () => {
  await revocations.onModuleInit();
  const mine: Revocation = { kind: 'jti', value: 'mine', at: 60_000 };
  const published = vi.fn<(revocation: Revocation) => void>();
  relay.subscribe('revocation', 'all', published);
  add.mockResolvedValueOnce(mine);
  await revocations.revoke({ kind: 'jti', value: 'mine' });
  expect(isRevoked('mine')).toBe(true);
  expect(published.mock.calls).toEqual([[mine]]);
  relay.publish('revocation', 'all', { kind: 'jti', value: 'theirs', at: 60_001 });
  expect(isRevoked('theirs')).toBe(true);
});

test('At the limit of revocations nothing is revoked and nothing published', async () => {
  await revocations.onModuleInit();
  const published = vi.fn<(revocation: Revocation) => void>();
  relay.subscribe('revocation', 'all', published);
  add.mockResolvedValueOnce(null);
  await expect(revocations.revoke({ kind: 'jti', value: 'mine' })).rejects.toMatchObject({
    code: 'conflict',
  });
  expect(isRevoked('mine')).toBe(false);
  expect(published).not.toHaveBeenCalled();
});
