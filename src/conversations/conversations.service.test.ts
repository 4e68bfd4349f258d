import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Principal } from '../auth/principal.js';
import { MemoryRelay } from '../platform/relay/memory-relay.js';
import { ConversationsService } from './conversations.service.js';
import type { ConversationsStore, Membership } from './conversations.store.js';

const ANN = { userId: 'ann', roles: [], isAdmin: false, guest: false, expiresAt: Infinity } as Principal;
const OWNED = { conversation: { id: 'c' }, role: 'owner', memberVersion: 1 } as Partial<Membership>;

const join = vi.fn<ConversationsStore['join']>();
const addMember = vi.fn<ConversationsStore['addMember']>();
const removeMember = vi.fn<ConversationsStore['removeMember']>();
const remove = vi.fn<ConversationsStore['delete']>();
let service: ConversationsService;
/** What was published, by its topic. */
let published: Record<string, unknown[]>;

beforeEach(() => {
  for (const mock of [join, addMember, removeMember, remove]) mock.mockReset();
  const store: Partial<ConversationsStore> = {
    ...{ join, addMember, removeMember, delete: remove },
    membership: () => Promise.resolve(OWNED as Membership),
    memberIds: () => Promise.resolve({ version: 1, userIds: ['ann', 'bob'] }),
    update: () => Promise.resolve(),
  };
  const relay = new MemoryRelay();
  published = { conversation: [], ann: [], bob: [] };
  relay.subscribe('conversation', 'c', (event) => published['conversation']?.push(event));
  for (const userId of ['ann', 'bob']) {
    relay.subscribe('user', userId, (event) => published[userId]?.push(event));
  }
  service = new ConversationsService(store as ConversationsStore, relay);
});

function changed(change: string, userId?: string): object {
  return {
    type: 'changed',
    change: { conversationId: 'c', change, ...(userId !== undefined && { userId }) },
  };
}

describe('Those who have joined, and the user concerned, are notified once', () => {
  test('of a member who was added', async () => {
    addMember.mockResolvedValue('added');
    await service.addMember(ANN, 'c', 'bob');
    const event = changed('added', 'bob');
    expect(published).toEqual({ conversation: [event], ann: [], bob: [event] });
  });

  test('of a member who joined by link', async () => {
    join.mockResolvedValue('joined');
    await service.enter(ANN, 'c');
    const event = changed('added', 'ann');
    expect(published).toEqual({ conversation: [event], ann: [event], bob: [] });
  });

  test('of a member who was removed (P10)', async () => {
    removeMember.mockResolvedValue('removed');
    await service.removeMember(ANN, 'c', 'bob');
    const event = changed('removed', 'bob');
    expect(published).toEqual({ conversation: [event], ann: [], bob: [event] });
  });

  test('of a change of the title, without a user', async () => {
    await service.update(ANN, 'c', { title: 'New' });
    expect(published).toEqual({ conversation: [changed('updated')], ann: [], bob: [] });
  });

  test('of the deletion: every member, also who has not joined', async () => {
    remove.mockResolvedValue('deleted');
    await service.delete(ANN, 'c');
    const event = changed('deleted');
    expect(published).toEqual({ conversation: [event], ann: [event], bob: [event] });
  });
});

describe('Nobody is notified', () => {
  test.each(['created', 'member'] as const)('of a join whose outcome is %s', async (outcome) => {
    join.mockResolvedValue(outcome);
    await service.enter(ANN, 'c');
    expect(published).toEqual({ conversation: [], ann: [], bob: [] });
  });

  test('of a member who is added again', async () => {
    addMember.mockResolvedValue('member');
    await service.addMember(ANN, 'c', 'bob');
    expect(published).toEqual({ conversation: [], ann: [], bob: [] });
  });

  test.each([
    ['not_found', 'not_found'],
    ['full', 'conflict'],
  ] as const)('of a join that is refused: %s', async (outcome, code) => {
    join.mockResolvedValue(outcome);
    await expect(service.enter(ANN, 'c')).rejects.toMatchObject({ code });
    expect(published).toEqual({ conversation: [], ann: [], bob: [] });
  });

  test.each([
    ['not_found', 'not_found'],
    ['forbidden', 'forbidden'],
    ['conflict', 'conflict'],
  ] as const)('of a removal that is refused: %s (P10)', async (outcome, code) => {
    removeMember.mockResolvedValue(outcome);
    await expect(service.removeMember(ANN, 'c', 'bob')).rejects.toMatchObject({ code });
    expect(published).toEqual({ conversation: [], ann: [], bob: [] });
  });
});
