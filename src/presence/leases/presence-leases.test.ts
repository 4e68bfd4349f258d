import { beforeEach, describe, expect, test } from 'vitest';
import { StandingClock } from '../../../test/support/standing-clock.js';
import type { Presence } from '../../protocol/index.js';
import { MemoryPresenceLeases } from './memory-presence-leases.js';
import type { PresenceLeases } from './presence-leases.js';
import type { PresenceRules } from './presence-record.js';

const RULES = { awayAfterMs: 300_000, leaveGraceMs: 5000, leaseMs: 30_000 };
const PHONE = { userId: 'ann', connectionId: 'phone' };
const LAPTOP = { userId: 'ann', connectionId: 'laptop' };

/** Every implementation of the port runs the same suite. */
const IMPLEMENTATIONS: [string, (clock: StandingClock, rules?: PresenceRules) => PresenceLeases][] = [
  ['memory', (clock, rules = RULES) => new MemoryPresenceLeases(rules, clock)],
];

describe.each(IMPLEMENTATIONS)('Presence leases in %s', (_name, make) => {
  let clock: StandingClock;
  let leases: PresenceLeases;
  let versions: number[];

  beforeEach(() => {
    clock = new StandingClock();
    leases = make(clock);
    versions = [];
  });

  /** Returns the status of a change, or null. Checks that versions only rise. */
  async function status(change: Promise<Presence | null>): Promise<string | null> {
    const presence = await change;
    if (presence) versions.push(presence.version);
    expect(versions).toEqual(versions.toSorted((a, b) => a - b));
    expect(new Set(versions).size).toBe(versions.length);
    return presence?.status ?? null;
  }

  /** Advances the clock in small steps and renews `alive`. @returns the changes. */
  async function pass(ms: number, alive: { userId: string; connectionId: string }[] = []): Promise<string[]> {
    const changes: string[] = [];
    for (let passed = 0; passed < ms; passed += 1000) {
      clock.advance(Math.min(1000, ms - passed));
      for (const { status: changed } of await leases.renew(alive)) changes.push(changed);
      for (const { status: changed } of await leases.sweep()) changes.push(changed);
    }
    return changes;
  }

  test('a user is online with the first device, and offline once, a grace period after the last (P9)', async () => {
    expect(await status(leases.acquire(PHONE))).toBe('online');
    expect(await status(leases.acquire(LAPTOP))).toBeNull();
    expect(await status(leases.release(PHONE))).toBeNull();
    expect(await pass(10_000, [LAPTOP])).toEqual([]);
    const leftAt = clock.now();
    expect(await status(leases.release(LAPTOP))).toBeNull();
    expect(await pass(4000)).toEqual([]);
    expect(await leases.countOnline()).toBe(1);
    clock.advance(1100);
    expect(await leases.sweep()).toMatchObject([
      { userId: 'ann', status: 'offline', lastSeenAt: new Date(leftAt).toISOString() },
    ]);
    expect(await pass(60_000)).toEqual([]);
    expect(await leases.of(['ann'])).toEqual(new Map());
  });

  test('a user who returns within the grace period does not appear offline', async () => {
    await leases.acquire(PHONE);
    await leases.release(PHONE);
    expect(await pass(4500)).toEqual([]);
    expect(await status(leases.acquire(PHONE))).toBeNull();
    expect(await pass(20_000, [PHONE])).toEqual([]);
  });

  test('a lease that is not renewed expires, without a grace period', async () => {
    await leases.acquire(PHONE);
    expect(await pass(29_000)).toEqual([]);
    expect(await pass(2000)).toEqual(['offline']);
    expect(await leases.countOnline()).toBe(0);
  });

  test('an expired lease has no grace period, also where that is longer than the lease', async () => {
    leases = make(clock, { ...RULES, leaveGraceMs: 100_000 });
    await leases.acquire(PHONE);
    expect(await pass(29_000)).toEqual([]);
    expect(await pass(2000)).toEqual(['offline']);
  });

  test('a user whose lease expired and was renewed has a grace period again', async () => {
    await leases.acquire(PHONE);
    expect(await pass(40_000)).toEqual(['offline']);
    await leases.renew([PHONE]);
    await leases.release(PHONE);
    expect(await pass(4000)).toEqual([]);
    expect(await pass(2000)).toEqual(['offline']);
  });

  test('a repeated disconnect does not extend the grace period (P9)', async () => {
    await leases.acquire(PHONE);
    await leases.release(PHONE);
    expect(await pass(4000)).toEqual([]);
    await leases.release(PHONE);
    expect(await pass(2000)).toEqual(['offline']);
  });

  test('an expired lease is valid again when it is renewed', async () => {
    await leases.acquire(PHONE);
    expect(await pass(40_000)).toEqual(['offline']);
    expect((await leases.renew([PHONE])).map((change) => change.status)).toEqual(['online']);
  });

  test('a user is away without activity on any device, and online again with activity on one', async () => {
    await leases.acquire(PHONE);
    await leases.acquire(LAPTOP);
    expect(await pass(200_000, [PHONE, LAPTOP])).toEqual([]);
    expect(await status(leases.touch('ann'))).toBeNull();
    expect(await pass(299_000, [PHONE, LAPTOP])).toEqual([]);
    expect(await pass(2000, [PHONE, LAPTOP])).toEqual(['away']);
    expect(await status(leases.touch('ann'))).toBe('online');
    expect(await status(leases.touch('ann'))).toBeNull();
  });

  test('the chosen status overrides the observed one, and `online` ends that', async () => {
    await leases.acquire(PHONE);
    expect(await status(leases.setStatus('ann', { status: 'busy' }))).toBe('busy');
    expect(await status(leases.setStatus('ann', { status: 'busy' }))).toBeNull();
    expect(await status(leases.touch('ann'))).toBeNull();
    expect(await pass(400_000, [PHONE])).toEqual([]);
    expect(await status(leases.setStatus('ann', { status: 'online' }))).toBe('away');
    expect(await status(leases.setStatus('ann', { status: 'away' }))).toBeNull();
    expect(await status(leases.touch('ann'))).toBeNull();
  });

  test('an invisible user appears offline, also with metadata, and disconnects unnoticed', async () => {
    await leases.acquire(PHONE);
    clock.advance(1000);
    const hiddenAt = new Date(clock.now()).toISOString();
    const hidden = await leases.setStatus('ann', { status: 'offline', metadata: { mood: 'secret' } });
    expect(hidden).toMatchObject({ status: 'offline', lastSeenAt: hiddenAt });
    expect(hidden).not.toHaveProperty('metadata');
    expect(await leases.countOnline()).toBe(0);
    expect(await leases.listOnline('', 10)).toEqual([]);
    await leases.touch('ann');
    await leases.release(PHONE);
    expect(await pass(20_000)).toEqual([]);
  });

  test('metadata is published with the status, and the same again is no change', async () => {
    await leases.acquire(PHONE);
    const changed = await leases.setStatus('ann', { status: 'online', metadata: { mood: 'good' } });
    expect(changed).toMatchObject({ status: 'online', metadata: { mood: 'good' } });
    expect(await leases.setStatus('ann', { status: 'online', metadata: { mood: 'good' } })).toBeNull();
    expect(await leases.setStatus('ann', { status: 'online' })).not.toHaveProperty('metadata');
  });

  test('versions rise also when the clock stands still', async () => {
    await status(leases.acquire(PHONE));
    for (const choice of ['busy', 'away', 'offline', 'online'] as const) {
      expect(await status(leases.setStatus('ann', { status: choice }))).toBe(choice);
    }
  });

  test('lists the users who are not offline by user id, in pages', async () => {
    for (const userId of ['cid', 'ann', 'bob']) await leases.acquire({ userId, connectionId: userId });
    expect((await leases.listOnline('', 2)).map(({ userId }) => userId)).toEqual(['ann', 'bob']);
    expect((await leases.listOnline('bob', 2)).map(({ userId }) => userId)).toEqual(['cid']);
    expect(await leases.countOnline()).toBe(3);
  });

  test.each([-3_600_000, 3_600_000])(
    'a clock that jumps by %i ms takes nobody offline, and keeps nobody online (P9)',
    async (jumpMs) => {
      await leases.acquire(PHONE);
      clock.jump(jumpMs);
      expect(await pass(100_000, [PHONE])).toEqual([]);
      const leftAt = clock.now();
      await leases.release(PHONE);
      clock.advance(5100);
      // The time is reported by the clock as it is set now.
      expect(await leases.sweep()).toMatchObject([
        { status: 'offline', lastSeenAt: new Date(leftAt).toISOString() },
      ]);
    },
  );

  test('unknown users and connections change nothing', async () => {
    expect(await leases.touch('nobody')).toBeNull();
    expect(await leases.release(PHONE)).toBeNull();
    expect(await leases.setStatus('nobody', { status: 'busy' })).toBeNull();
    await leases.acquire(PHONE);
    expect(await leases.release({ ...PHONE, connectionId: 'other' })).toBeNull();
    expect(await leases.release(PHONE)).toBeNull();
    expect(await leases.release(PHONE)).toBeNull();
    expect(await pass(6000)).toEqual(['offline']);
  });
});

test('Presence in memory keeps nothing of a user who disconnected, and returns on close who disconnects with the process', async () => {
  const clock = new StandingClock();
  const leases = new MemoryPresenceLeases(RULES, clock);
  await leases.acquire(PHONE);
  await leases.release(PHONE);
  clock.advance(6000);
  await leases.sweep();
  expect(leases.size).toEqual({ users: 0, due: 0 });
  await leases.acquire(PHONE);
  expect(await leases.close()).toMatchObject([{ userId: 'ann', status: 'offline' }]);
  expect(leases.size).toEqual({ users: 0, due: 0 });
});
