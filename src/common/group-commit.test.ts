import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DomainError } from './domain-error.js';
import { GroupCommit, LOCKED, shardOfKey, type GroupCommitOptions } from './group-commit.js';

const UNOBSERVED = { countWaiting: () => {}, committed: () => {}, failed: () => {} };

interface Held<T> {
  batch: readonly T[];
  shard: number;
  commit: () => void;
  fail: (error: unknown) => void;
}

class ItemFault extends Error {}

/** A group commit of numbers whose commits the test lets through one by one. Answers are the items times ten. */
function held(options: Partial<GroupCommitOptions<number, number>> = {}) {
  const commits: Held<number>[] = [];
  const group = new GroupCommit<number, number>({
    observer: UNOBSERVED,
    commit: (batch, shard) =>
      new Promise((resolve, reject) => {
        commits.push({ batch, shard, commit: () => resolve(batch.map((n) => n * 10)), fail: reject });
      }),
    ...{ shardOf: () => 0, shards: 1, sizeOf: () => 1, deadlineMs: 5000 },
    isItemFault: (error) => error instanceof ItemFault,
    ...options,
  });
  return { commits, group };
}

/** Lets everything that needs no commit happen. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

afterEach(() => {
  vi.useRealTimers();
});

test('What is submitted in one turn is one commit; what comes during it is the next, in order', async () => {
  const { commits, group } = held();
  const first = [1, 2, 3].map((n) => group.submit(n));
  await settle();
  const second = [4, 5].map((n) => group.submit(n));
  await settle();
  expect(commits.map(({ batch }) => batch)).toEqual([[1, 2, 3]]);
  commits[0]!.commit();
  expect(await Promise.all(first)).toEqual([10, 20, 30]);
  await settle();
  expect(commits.map(({ batch }) => batch)).toEqual([
    [1, 2, 3],
    [4, 5],
  ]);
  commits[1]!.commit();
  expect(await Promise.all(second)).toEqual([40, 50]);
});

test('Shards commit at the same time, each one batch at once', async () => {
  const { commits, group } = held({ shards: 2, shardOf: (n) => n % 2 });
  const all = [1, 2, 3, 4].map((n) => group.submit(n));
  await settle();
  expect(commits.map(({ shard, batch }) => [shard, batch])).toEqual([
    [1, [1, 3]],
    [0, [2, 4]],
  ]);
  for (const { commit } of commits) commit();
  expect(await Promise.all(all)).toEqual([10, 20, 30, 40]);
});

describe('A shard that rests after a dear batch', () => {
  const REST_MS = 40;
  const restMs = (results: readonly number[]): number => (results.includes(10) ? REST_MS : 0);

  test('gathers meanwhile, and after a cheap one goes on at once', async () => {
    const { commits, group } = held({ restMs });
    const all = [group.submit(1)];
    await settle();
    all.push(group.submit(2));
    commits[0]!.commit();
    await settle();
    expect(commits).toHaveLength(1);
    all.push(group.submit(3));
    await vi.waitFor(() => expect(commits).toHaveLength(2));
    expect(commits[1]?.batch).toEqual([2, 3]);
    commits[1]!.commit();
    await settle();
    all.push(group.submit(4));
    await settle();
    expect(commits[2]?.batch).toEqual([4]);
    commits[2]!.commit();
    expect(await Promise.all(all)).toEqual([10, 20, 30, 40]);
  });

  test('does not where a full batch waits', async () => {
    const { commits, group } = held({ restMs: () => 60_000, sizeOf: () => 512 * 1024 });
    const all = [1, 2, 3, 4].map((n) => group.submit(n));
    await settle();
    commits[0]!.commit();
    await settle();
    expect(commits[1]?.batch).toEqual([3, 4]);
    commits[1]!.commit();
    expect(await Promise.all(all)).toEqual([10, 20, 30, 40]);
  });
});

test('Nothing is stranded when it is submitted just as a drain ends', async () => {
  let open = 0;
  let most = 0;
  const group = new GroupCommit<number, number>({
    observer: UNOBSERVED,
    commit: async (batch) => {
      open += 1;
      most = Math.max(most, open);
      await Promise.resolve();
      open -= 1;
      return batch.map((n) => n * 10);
    },
    ...{ shardOf: () => 0, shards: 1, sizeOf: () => 1, deadlineMs: 1000, isItemFault: () => false },
  });
  // Each is submitted some microtasks later behind the one before: every moment of a drain's end is met.
  for (let wait = 0; wait < 12; wait += 1) {
    for (let round = 0; round < 20; round += 1) {
      const before = group.submit(1);
      for (let turn = 0; turn < wait; turn += 1) await Promise.resolve();
      expect(await group.submit(2)).toBe(20);
      expect(await before).toBe(10);
    }
  }
  const chained = await group.submit(3).then(() => group.submit(4));
  expect(chained).toBe(40);
  await group.idle();
  expect(most).toBe(1);
});

describe('A batch that fails', () => {
  test('through an item’s fault is halved until the bad ones fail alone', async () => {
    const seen: (readonly number[])[] = [];
    const bad = new Set([3, 10]);
    const group = new GroupCommit<number, number>({
      observer: UNOBSERVED,
      commit: async (batch) => {
        seen.push(batch);
        if (batch.some((n) => bad.has(n))) throw new ItemFault();
        return batch.map((n) => n * 10);
      },
      ...{ shardOf: () => 0, shards: 1, sizeOf: () => 1, deadlineMs: 1000 },
      isItemFault: (error) => error instanceof ItemFault,
    });
    const results = await Promise.allSettled(Array.from({ length: 16 }, (_, n) => group.submit(n)));
    const shown = results.map((result) =>
      result.status === 'fulfilled' ? result.value : (result.reason as unknown),
    );
    const wanted = shown.map((_, n) => (bad.has(n) ? new ItemFault() : n * 10));
    expect(shown).toEqual(wanted);
    expect(seen.length).toBeLessThanOrEqual(2 * 2 * 4 + 1);
  });

  test('otherwise fails every item with the same error, and the next batch goes on', async () => {
    const { commits, group } = held();
    const first = Promise.allSettled([1, 2].map((n) => group.submit(n)));
    await settle();
    const next = group.submit(3);
    commits[0]!.fail(new Error('the connection is lost'));
    expect((await first).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await settle();
    commits[1]!.commit();
    expect(await next).toBe(30);
  });
});

describe('Bounds', () => {
  test('a batch holds at most 512 items and 1 MiB, but always one item', async () => {
    const { commits, group } = held();
    void Array.from({ length: 1100 }, (_, n) => group.submit(n));
    for (let done = 0; done < 3; done += 1) {
      await settle();
      commits[done]!.commit();
    }
    expect(commits.map(({ batch }) => batch.length)).toEqual([512, 512, 76]);
    const large = held({ sizeOf: () => 600 * 1024 });
    const sent = [1, 2, 3].map((n) => large.group.submit(n));
    for (let done = 0; done < 3; done += 1) {
      await settle();
      large.commits[done]!.commit();
    }
    await Promise.all(sent);
    expect(large.commits.map(({ batch }) => batch)).toEqual([[1], [2], [3]]);
  });

  test('what waits is bounded by number and by size; beyond, it is refused at once, and taken again later (P7)', async () => {
    for (const [limit, sizeOf] of [
      [20_000, () => 1],
      [64, () => 1024 * 1024],
    ] as const) {
      const { commits, group } = held({ sizeOf });
      const taken = Array.from({ length: limit }, (_, n) => group.submit(n));
      const refused = await group.submit(-1).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(DomainError);
      expect(refused).toMatchObject({
        code: 'overloaded',
        retryable: true,
        retryAfterMs: 1000,
      });
      const drained = Promise.all(taken);
      for (let done = 0; taken.length > 0 && done * (limit === 64 ? 1 : 512) < limit; done += 1) {
        await settle();
        commits[done]!.commit();
      }
      await drained;
      const later = group.submit(7);
      await settle();
      commits.at(-1)!.commit();
      expect(await later).toBe(70);
    }
  });
});

describe('The deadline', () => {
  test('ends waiting with timeout; what was not written by then is not written, and holds no room', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { commits, group } = held({ deadlineMs: 1000, sizeOf: () => 30 * 1024 * 1024 });
    const first = group.submit(1).catch((error: unknown) => error);
    await settle();
    const second = group.submit(2).catch((error: unknown) => error);
    vi.advanceTimersByTime(1000);
    expect(await first).toMatchObject({ code: 'timeout', retryable: true });
    expect(await second).toMatchObject({ code: 'timeout' });
    expect(await group.submit(3).catch((error: unknown) => error)).toMatchObject({ code: 'overloaded' });
    commits[0]!.commit();
    await settle();
    expect(commits).toHaveLength(1);
    const third = [4, 5].map((n) => group.submit(n));
    await settle();
    commits[1]!.commit();
    await settle();
    commits[2]!.commit();
    expect(await Promise.all(third)).toEqual([40, 50]);
  });
});

test('A key has one shard, within the bounds, and keys are spread', () => {
  const shards = new Map<number, number>();
  for (let n = 0; n < 1000; n += 1) {
    const shard = shardOfKey(`conversation-${n}`, 4);
    expect(shardOfKey(`conversation-${n}`, 4)).toBe(shard);
    expect(Number.isInteger(shard) && shard >= 0 && shard < 4).toBe(true);
    shards.set(shard, (shards.get(shard) ?? 0) + 1);
  }
  expect([...shards.values()].every((count) => count > 100)).toBe(true);
  expect(shardOfKey('', 1)).toBe(0);
});

describe('An item whose row is locked', () => {
  class LockFault extends Error {}
  /** Items whose rows another session holds. The row of an item is its number modulo 10. */
  const locked = new Set<number>();
  const written: number[] = [];
  const group = new GroupCommit<number, number>({
    commit: async (batch, _shard, skipLocked) => {
      const isLocked = (n: number): boolean => locked.has(n % 10);
      if (!skipLocked && batch.some(isLocked)) throw new LockFault();
      written.push(...batch.filter((n) => !isLocked(n)));
      return batch.map((n) => (isLocked(n) ? LOCKED : n * 10));
    },
    ...{ shardOf: () => 0, shards: 1, sizeOf: () => 1, deadlineMs: 5000, isItemFault: () => false },
    locks: { keyOf: (n) => String(n % 10), isLockFault: (error) => error instanceof LockFault },
  });
  beforeEach(() => {
    vi.useFakeTimers();
    locked.clear();
    written.length = 0;
  });

  test('holds up its own row only, whose items are written in order once it is free', async () => {
    locked.add(1);
    const early = [1, 2, 11].map((n) => group.submit(n));
    expect(await early[1]).toBe(20);
    const late = [21, 3].map((n) => group.submit(n));
    expect(await late[1]).toBe(30);
    await vi.advanceTimersByTimeAsync(500);
    expect(written).toEqual([2, 3]);
    locked.clear();
    await vi.advanceTimersByTimeAsync(200);
    expect(await Promise.all([early[0], early[2], late[0]])).toEqual([10, 110, 210]);
    expect(written).toEqual([2, 3, 1, 11, 21]);
  });

  test('is `timeout` at its deadline, and is not written after it', async () => {
    locked.add(1);
    const refused = expect(group.submit(1)).rejects.toMatchObject({ code: 'timeout' });
    await vi.advanceTimersByTimeAsync(5000);
    await refused;
    locked.clear();
    await vi.advanceTimersByTimeAsync(500);
    expect(written).toEqual([]);
    await group.idle();
  });
});
