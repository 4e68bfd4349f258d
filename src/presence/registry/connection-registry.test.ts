import { beforeEach, describe, expect, test } from 'vitest';
import { StandingClock } from '../../../test/support/standing-clock.js';
import type { ConnectionRegistry, RegisteredConnection } from './connection-registry.js';
import { MemoryConnectionRegistry } from './memory-connection-registry.js';

/** Every implementation of the port runs the same suite. */
const IMPLEMENTATIONS: [string, (clock: StandingClock) => ConnectionRegistry][] = [
  ['memory', (clock) => new MemoryConnectionRegistry(30_000, clock)],
];
const ALL = { after: '', limit: 100 };

function connection(connectionId: string, userId: string, nodeId = 'n1'): RegisteredConnection {
  const times = { connectedAt: 1, lastActivityAt: 1 };
  const device = {
    deviceId: connectionId,
    transport: 'polling',
    authenticated: userId !== 'guest:1',
  } as const;
  return { connectionId, userId, nodeId, ...device, ...times };
}

function ids(connections: readonly RegisteredConnection[]): string[] {
  return connections.map(({ connectionId }) => connectionId);
}

describe.each(IMPLEMENTATIONS)('The connection registry in %s', (_name, make) => {
  let clock: StandingClock;
  let registry: ConnectionRegistry;

  beforeEach(async () => {
    clock = new StandingClock();
    registry = make(clock);
    await registry.add(connection('a1', 'ann'));
    await registry.add(connection('a2', 'ann', 'n2'));
    await registry.add(connection('g1', 'guest:1'));
    await registry.join('a1', 'c');
    await registry.join('g1', 'c');
    await registry.join('g1', 'd');
  });

  test('finds connections by id, user and conversation, in pages', async () => {
    expect(await registry.find('a1')).toMatchObject({ userId: 'ann' });
    expect(await registry.find('nobody')).toBeNull();
    expect(ids(await registry.ofUser('ann', ALL))).toEqual(['a1', 'a2']);
    expect(ids(await registry.ofUser('ann', { after: 'a1', limit: 1 }))).toEqual(['a2']);
    expect(ids(await registry.ofConversation('c', ALL))).toEqual(['a1', 'g1']);
  });

  test('counts the connections of all nodes, or of one', async () => {
    expect(await registry.figures()).toEqual({
      ...{ totalConnections: 3, authenticatedConnections: 2, uniqueUsers: 2, activeConversations: 2 },
    });
    expect(await registry.figures('n2')).toEqual({
      ...{ totalConnections: 1, authenticatedConnections: 1, uniqueUsers: 1, activeConversations: 0 },
    });
  });

  test('applies updates, leaves and removals', async () => {
    await registry.update('a1', { transport: 'websocket', lastActivityAt: 7 });
    expect(await registry.find('a1')).toMatchObject({ transport: 'websocket', lastActivityAt: 7 });
    await registry.leave('g1', 'c');
    expect(ids(await registry.ofConversation('c', ALL))).toEqual(['a1']);
    await registry.remove('g1');
    await registry.remove('g1');
    expect(await registry.ofConversation('d', ALL)).toEqual([]);
    expect(await registry.figures()).toMatchObject({ totalConnections: 2, activeConversations: 1 });
  });

  test('ignores a join of a connection that was removed (P7)', async () => {
    await registry.remove('g1');
    await registry.join('g1', 'd');
    expect(await registry.ofConversation('d', ALL)).toEqual([]);
    expect(await registry.figures()).toMatchObject({ activeConversations: 1 });
  });

  test('lists a connection once that is added again, and removes it completely', async () => {
    await registry.add(connection('a1', 'ann'));
    expect(ids(await registry.ofUser('ann', ALL))).toEqual(['a1', 'a2']);
    await registry.remove('a1');
    expect(ids(await registry.ofUser('ann', ALL))).toEqual(['a2']);
  });

  test('removes what is not renewed within a lease, and reports it at a later renewal', async () => {
    for (let seconds = 0; seconds < 60; seconds += 10) {
      clock.advance(10_000);
      await registry.renew(['a1']);
    }
    expect(ids(await registry.ofUser('ann', ALL))).toEqual(['a1']);
    expect(await registry.renew(['a1', 'a2'])).toEqual(['a2']);
    expect(await registry.figures()).toMatchObject({ totalConnections: 1, uniqueUsers: 1 });
  });
});

test('The registry in memory keeps nothing of a removed connection', async () => {
  const registry = new MemoryConnectionRegistry(30_000, new StandingClock());
  await registry.add(connection('a1', 'ann'));
  await registry.join('a1', 'c');
  await registry.remove('a1');
  await registry.join('a1', 'c');
  expect(registry.size).toEqual({ connections: 0, users: 0, conversations: 0, leases: 0 });
});
