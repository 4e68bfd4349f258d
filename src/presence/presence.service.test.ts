import { beforeEach, expect, test, vi } from 'vitest';
import { StandingClock } from '../../test/support/standing-clock.js';
import type { Principal } from '../auth/principal.js';
import type { LastSeen } from './last-seen.js';
import { MemoryPresenceLeases } from './leases/memory-presence-leases.js';
import type { PresenceAnnouncer } from './presence-announcer.js';
import { PresenceService } from './presence.service.js';
import type { SharedConversationsStore } from './shared-conversations.store.js';

const RULES = { awayAfterMs: 300_000, leaveGraceMs: 5000, leaseMs: 30_000 };
const PHONE = { userId: 'ann', connectionId: 'phone' };
const EVE = { userId: 'eve', roles: [], isAdmin: false } as Partial<Principal> as Principal;

const announce = vi.fn<PresenceAnnouncer['announce']>();
const record = vi.fn<LastSeen['record']>();
const share = vi.fn<SharedConversationsStore['share']>();
let leases: MemoryPresenceLeases;
let presence: PresenceService;

beforeEach(() => {
  for (const mock of [announce, record, share]) mock.mockReset();
  leases = new MemoryPresenceLeases(RULES, new StandingClock());
  const lastSeen: Partial<LastSeen> = {
    record,
    of: () => Promise.resolve(new Map()),
    close: () => Promise.resolve(),
  };
  presence = new PresenceService(
    leases,
    { announce, close: () => {} } as Partial<PresenceAnnouncer> as PresenceAnnouncer,
    lastSeen as LastSeen,
    { share } as Partial<SharedConversationsStore> as SharedConversationsStore,
  );
});

test('A connection is not notified of its own connect, nor of the status that it sets', async () => {
  presence.connect(PHONE);
  await presence.setStatus('ann', { status: 'busy' }, 'phone');
  expect(announce.mock.calls).toMatchObject([
    [{ presence: { status: 'online' }, origin: 'phone' }],
    [{ presence: { status: 'busy' }, origin: 'phone' }],
  ]);
});

test('What changes nothing for others is neither announced nor stored', async () => {
  presence.connect(PHONE);
  presence.connect({ ...PHONE, connectionId: 'laptop' });
  presence.touch('ann');
  await presence.renew([PHONE]);
  expect(announce).toHaveBeenCalledTimes(1);
  expect(record).toHaveBeenCalledTimes(1);
});

test('Leases that fail do not throw at a connect, a disconnect or activity', async () => {
  vi.spyOn(leases, 'acquire').mockRejectedValue(new Error('unavailable'));
  vi.spyOn(leases, 'release').mockRejectedValue(new Error('unavailable'));
  vi.spyOn(leases, 'touch').mockRejectedValue(new Error('unavailable'));
  presence.connect(PHONE);
  presence.disconnect(PHONE);
  presence.touch('ann');
  await new Promise(setImmediate);
  expect(announce).not.toHaveBeenCalled();
});

test('A stop stores the users who disconnect with the process as offline (P9)', async () => {
  presence.connect(PHONE);
  await presence.onApplicationShutdown();
  expect(record).toHaveBeenLastCalledWith(expect.objectContaining({ userId: 'ann', status: 'offline' }));
});

test('A user without a shared conversation cannot be seen, connected or not (P10)', async () => {
  share.mockResolvedValue([false]);
  presence.connect(PHONE);
  await expect(presence.findFor(EVE, 'ann')).rejects.toMatchObject({ code: 'not_found' });
  await expect(presence.findFor(EVE, 'nobody')).rejects.toMatchObject({ code: 'not_found' });
  share.mockResolvedValue([true]);
  expect(await presence.findFor(EVE, 'ann')).toMatchObject({ status: 'online' });
});
