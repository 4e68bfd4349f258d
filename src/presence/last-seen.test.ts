import { beforeEach, expect, test, vi } from 'vitest';
import type { Presence } from '../protocol/index.js';
import { LastSeen } from './last-seen.js';
import type { LastSeenStore } from './last-seen.store.js';

function offline(version: number, userId = 'ann'): Presence {
  return { userId, status: 'offline', lastSeenAt: new Date(version).toISOString(), version };
}

/** Stands for the table: a write is visible when it resolves. */
let stored: Map<string, Presence>;
const write = vi.fn<(states: readonly Presence[]) => Promise<void>>();
const read = vi.fn<(userIds: readonly string[]) => Promise<Presence[]>>();
let lastSeen: LastSeen;

beforeEach(() => {
  stored = new Map();
  write.mockReset().mockImplementation((states) => {
    for (const state of states) stored.set(state.userId, state);
    return Promise.resolve();
  });
  read.mockReset().mockImplementation(() => Promise.resolve([...stored.values()]));
  lastSeen = new LastSeen({ write, read } as Partial<LastSeenStore> as LastSeenStore);
});

test('A presence that is written during the query is not missed (P9)', async () => {
  read.mockImplementation(async () => {
    const before = [...stored.values()];
    await lastSeen.close();
    return before;
  });
  lastSeen.record(offline(1));
  expect(await lastSeen.of(['ann'])).toEqual(new Map([['ann', offline(1)]]));
});

test('A change during a write is written with the next batch', async () => {
  write.mockImplementationOnce((states) => {
    lastSeen.record(offline(2));
    for (const state of states) stored.set(state.userId, state);
    return Promise.resolve();
  });
  lastSeen.record(offline(1));
  await lastSeen.close();
  expect(stored.get('ann')).toEqual(offline(2));
});

test('Changes of one turn of the event loop form one batch', async () => {
  lastSeen.record(offline(1));
  lastSeen.record(offline(2, 'bob'));
  await lastSeen.close();
  expect(write).toHaveBeenCalledExactlyOnceWith([offline(1), offline(2, 'bob')]);
});

test('At the end a write that fails is not repeated, and what it held is still returned', async () => {
  write.mockRejectedValue(new Error('the database is unavailable'));
  lastSeen.record(offline(1));
  await lastSeen.close();
  expect(write).toHaveBeenCalledTimes(1);
  expect(await lastSeen.of(['ann', 'bob'])).toEqual(new Map([['ann', offline(1)]]));
});
