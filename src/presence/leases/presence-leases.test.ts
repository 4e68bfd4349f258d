import { beforeEach, describe, expect, test } from 'vitest';
import { StandingClock } from '../../../test/support/standing-clock.js';
import type { Presence } from '../../protocol/index.js';
import { MemoryPresenceLeases } from './memory-presence-leases.js';
import type { PresenceLeases } from './presence-leases.js';

const RULES = { awayAfterMs: 300_000, leaveGraceMs: 5000, leaseMs: 30_000 };
const PHONE = { userId: 'ann', connectionId: 'phone' };
const LAPTOP = { userId: 'ann', connectionId: 'laptop' };

/** Every implementation of the port: the same suite over each. */
const TWINS: [string, (clock: StandingClock) => PresenceLeases][] = [
  ['memory', (clock) => new MemoryPresenceLeases(RULES, clock)],
];

describe.each(TWINS)('Presence leases in %s', (_name, make) => {
  let clock: StandingClock;
  let leases: PresenceLeases;
  let versions: number[];

  beforeEach(() => {
    clock = new StandingClock();
    leases = make(clock);
    versions = [];
  });

  /** Status of a change, or null; and that versions only rise. */
  async function status(change: Promise<Presence | null>): Promise<string | null> {
    const presence = await change;
    if (presence) versions.push(presence.version);
    expect(versions).toEqual(versions.toSorted((a, b) => a - b));
    expect(new Set(versions).size).toBe(versions.length);
    return presence?.status ?? null;
  }

  /** Moves the time on in small steps, renewing `alive`; gives the changes that came of it. */
  async function pass(ms: number, alive: { userId: string; connectionId: string }[] = []): Promise<string[]> {
    const changes: string[] = [];
    for (let passed = 0; passed < ms; passed += 1000) {
      clock.advance(Math.min(1000, ms - passed));
      for (const { status: told } of await leases.renew(alive)) changes.push(told);
      for (const { status: told } of await leases.settle()) changes.push(told);
    }
    return changes;
  }

  test('a user is online with the first device, and offline once after the last and the grace (P9)', async () => {
    expect(await status(leases.enter(PHONE))).toBe('online');
    expect(await status(leases.enter(LAPTOP))).toBeNull();
    expect(await status(leases.leave(PHONE))).toBeNull();
    expect(await pass(10_000, [LAPTOP])).toEqual([]);
    const leftAt = clock.now();
    expect(await status(leases.leave(LAPTOP))).toBeNull();
    expect(await pass(4000)).toEqual([]);
    expect(await leases.count()).toBe(1);
    clock.advance(1100);
    expect(await leases.settle()).toMatchObject([
      { userId: 'ann', status: 'offline', lastSeenAt: new Date(leftAt).toISOString() },
    ]);
    expect(await pass(60_000)).toEqual([]);
    expect(await leases.of(['ann'])).toEqual(new Map());
  });

  test('who returns within the grace was never away', async () => {
    await leases.enter(PHONE);
    await leases.leave(PHONE);
    expect(await pass(4500)).toEqual([]);
    expect(await status(leases.enter(PHONE))).toBeNull();
    expect(await pass(20_000, [PHONE])).toEqual([]);
  });

  test('a lease that is not renewed runs out, at once and without grace', async () => {
    await leases.enter(PHONE);
    expect(await pass(29_000)).toEqual([]);
    expect(await pass(2000)).toEqual(['offline']);
    expect(await leases.count()).toBe(0);
  });

  test('a lease that ran out counts again when it is renewed', async () => {
    await leases.enter(PHONE);
    expect(await pass(40_000)).toEqual(['offline']);
    expect((await leases.renew([PHONE])).map((change) => change.status)).toEqual(['online']);
  });

  test('a user is away without activity on any device, and back by any', async () => {
    await leases.enter(PHONE);
    await leases.enter(LAPTOP);
    expect(await pass(200_000, [PHONE, LAPTOP])).toEqual([]);
    expect(await status(leases.touch('ann'))).toBeNull();
    expect(await pass(299_000, [PHONE, LAPTOP])).toEqual([]);
    expect(await pass(2000, [PHONE, LAPTOP])).toEqual(['away']);
    expect(await status(leases.touch('ann'))).toBe('online');
    expect(await status(leases.touch('ann'))).toBeNull();
  });

  test('the own choice stands over what is observed, and `online` gives it back', async () => {
    await leases.enter(PHONE);
    expect(await status(leases.choose('ann', { status: 'busy' }))).toBe('busy');
    expect(await status(leases.choose('ann', { status: 'busy' }))).toBeNull();
    expect(await status(leases.touch('ann'))).toBeNull();
    expect(await pass(400_000, [PHONE])).toEqual([]);
    expect(await status(leases.choose('ann', { status: 'online' }))).toBe('away');
    expect(await status(leases.choose('ann', { status: 'away' }))).toBeNull();
    expect(await status(leases.touch('ann'))).toBeNull();
  });

  test('who is invisible is offline to all, also with metadata, and leaves unnoticed', async () => {
    await leases.enter(PHONE);
    clock.advance(1000);
    const hiddenAt = new Date(clock.now()).toISOString();
    const hidden = await leases.choose('ann', { status: 'offline', metadata: { mood: 'secret' } });
    expect(hidden).toMatchObject({ status: 'offline', lastSeenAt: hiddenAt });
    expect(hidden).not.toHaveProperty('metadata');
    expect(await leases.count()).toBe(0);
    expect(await leases.present('', 10)).toEqual([]);
    await leases.touch('ann');
    await leases.leave(PHONE);
    expect(await pass(20_000)).toEqual([]);
  });

  test('metadata is told with the status, and the same again is no change', async () => {
    await leases.enter(PHONE);
    const told = await leases.choose('ann', { status: 'online', metadata: { mood: 'good' } });
    expect(told).toMatchObject({ status: 'online', metadata: { mood: 'good' } });
    expect(await leases.choose('ann', { status: 'online', metadata: { mood: 'good' } })).toBeNull();
    expect(await leases.choose('ann', { status: 'online' })).not.toHaveProperty('metadata');
  });

  test('versions rise also where the clock stands', async () => {
    await status(leases.enter(PHONE));
    for (const choice of ['busy', 'away', 'offline', 'online'] as const) {
      expect(await status(leases.choose('ann', { status: choice }))).toBe(choice);
    }
  });

  test('lists who is not offline by user id, in pages', async () => {
    for (const userId of ['cid', 'ann', 'bob']) await leases.enter({ userId, connectionId: userId });
    expect((await leases.present('', 2)).map(({ userId }) => userId)).toEqual(['ann', 'bob']);
    expect((await leases.present('bob', 2)).map(({ userId }) => userId)).toEqual(['cid']);
    expect(await leases.count()).toBe(3);
  });

  test.each([-3_600_000, 3_600_000])(
    'a clock that is set by %i ms makes nobody go, and nobody stay (P9)',
    async (jumpMs) => {
      await leases.enter(PHONE);
      clock.jump(jumpMs);
      expect(await pass(100_000, [PHONE])).toEqual([]);
      const leftAt = clock.now();
      await leases.leave(PHONE);
      clock.advance(5100);
      // When it was is told by the clock as it is now.
      expect(await leases.settle()).toMatchObject([
        { status: 'offline', lastSeenAt: new Date(leftAt).toISOString() },
      ]);
    },
  );

  test('what is not there changes nothing', async () => {
    expect(await leases.touch('nobody')).toBeNull();
    expect(await leases.leave(PHONE)).toBeNull();
    expect(await leases.choose('nobody', { status: 'busy' })).toBeNull();
    await leases.enter(PHONE);
    expect(await leases.leave({ ...PHONE, connectionId: 'other' })).toBeNull();
    expect(await leases.leave(PHONE)).toBeNull();
    expect(await leases.leave(PHONE)).toBeNull();
    expect(await pass(6000)).toEqual(['offline']);
  });
});

test('Presence in memory keeps nothing of who has gone, and gives up who goes with the process', async () => {
  const clock = new StandingClock();
  const leases = new MemoryPresenceLeases(RULES, clock);
  await leases.enter(PHONE);
  await leases.leave(PHONE);
  clock.advance(6000);
  await leases.settle();
  expect(leases.size).toEqual({ users: 0, due: 0 });
  await leases.enter(PHONE);
  expect(await leases.close()).toMatchObject([{ userId: 'ann', status: 'offline' }]);
  expect(leases.size).toEqual({ users: 0, due: 0 });
});
