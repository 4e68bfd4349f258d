import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Client } from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { connectedClient, untilBlocked } from '../support/locks.js';
import { openStores, type OpenStores } from '../support/stores.js';

let database: TestDatabase;
let stores: OpenStores;
let made = 0;
let conversationId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  stores = await openStores(database.url);
});

afterAll(async () => {
  await stores.close();
  await database.drop();
});

beforeEach(() => {
  conversationId = `c-${(made += 1)}`;
});

/** A transaction on another connection that has run `statement` and holds its locks. */
async function holding(statement: string, values: unknown[]): Promise<Client> {
  const client = await connectedClient(database.url);
  onTestFinished(() => client.end());
  await client.query('begin');
  await client.query(statement, values);
  return client;
}

/** The outcome of `work`, which meets the locks of `holder` and waits until that commits. */
async function outcomeAfter<T>(holder: Client, work: () => Promise<T>): Promise<T> {
  const outcome = work();
  await untilBlocked(database.url, 1);
  await holder.query('commit');
  return outcome;
}

const join = (userId: string) => stores.conversations.join({ conversationId, userId });

describe('A join that meets a change under way is decided by what that change leaves (P10)', () => {
  test('another device of the same user creates the conversation: the user is a member', async () => {
    const other = await holding('select join_conversation($1, $2, null, null, 10)', [conversationId, 'ann']);
    expect(await outcomeAfter(other, () => join('ann'))).toBe('member');
  });

  test('another user creates the conversation: not_found', async () => {
    const other = await holding('select join_conversation($1, $2, null, null, 10)', [conversationId, 'bob']);
    expect(await outcomeAfter(other, () => join('ann'))).toBe('not_found');
  });

  test('the owner adds the user: the user is a member', async () => {
    await stores.conversations.create(conversationId, { userId: 'owner' }, null, 'members');
    const owner = await holding('select add_member($1, $2, $3, 10)', [conversationId, 'owner', 'ann']);
    expect(await outcomeAfter(owner, () => join('ann'))).toBe('member');
  });

  test('the owner closes a conversation that was open by link: not_found', async () => {
    await stores.conversations.create(conversationId, { userId: 'owner' }, null, 'link');
    const owner = await holding(`update conversations set access = 'members' where id = $1`, [
      conversationId,
    ]);
    expect(await outcomeAfter(owner, () => join('ann'))).toBe('not_found');
  });

  test('the owner deletes the conversation: its id is free, and the user owns what is created under it', async () => {
    await stores.conversations.create(conversationId, { userId: 'owner' }, null, 'members');
    const owner = await holding('select delete_conversation($1, $2)', [conversationId, 'owner']);
    expect(await outcomeAfter(owner, () => join('ann'))).toBe('created');
    expect((await stores.conversations.membership(conversationId, 'ann'))?.role).toBe('owner');
  });

  test('another user takes the last place: full', async () => {
    await stores.conversations.create(conversationId, { userId: 'owner' }, null, 'link');
    const { MAX_CONVERSATION_MEMBERS: max } = stores.config;
    const others = Array.from({ length: max - 2 }, (_, index) => `u${index}`);
    await stores.database.query(
      'insert into members (conversation_id, user_id) select $1, unnest($2::text[])',
      [conversationId, others],
    );
    const other = await holding('select join_conversation($1, $2, null, null, $3)', [
      ...[conversationId, 'bob', max],
    ]);
    expect(await outcomeAfter(other, () => join('ann'))).toBe('full');
  });
});

describe('An actor whose rights change meanwhile gets what holds after the change (P10)', () => {
  const places = async (rows: Record<string, string>) => {
    await stores.conversations.create(conversationId, { userId: 'owner' }, null, 'members');
    for (const [userId, role] of Object.entries(rows)) {
      await stores.database.query(
        'insert into members (conversation_id, user_id, role) values ($1, $2, $3)',
        [...[conversationId, userId, role]],
      );
    }
  };
  /** Removes or demotes the actor as another owner would, under the lock that every change of members takes. */
  const changeOf = async (statement: string): Promise<Client> => {
    const client = await holding('select 1 from conversations where id = $1 for update', [conversationId]);
    await client.query(statement, [conversationId]);
    return client;
  };
  const REMOVE = `delete from members where conversation_id = $1 and user_id = 'actor'`;
  const DEMOTE = `update members set role = 'member' where conversation_id = $1 and user_id = 'actor'`;
  const actions = {
    add: () => stores.conversations.addMember(conversationId, 'actor', 'new'),
    remove: () => stores.conversations.removeMember(conversationId, 'actor', 'other'),
    delete: () => stores.conversations.delete(conversationId, 'actor'),
  };

  test.each([
    ['add', REMOVE, 'not_found'],
    ['add', DEMOTE, 'forbidden'],
    ['remove', REMOVE, 'not_found'],
    ['remove', DEMOTE, 'forbidden'],
    ['delete', REMOVE, 'not_found'],
    ['delete', DEMOTE, 'forbidden'],
  ] as const)('%s after "%s": %s, and nothing changes', async (action, change, expected) => {
    await places({ actor: 'owner', other: 'member' });
    const holder = await changeOf(change);
    expect(await outcomeAfter(holder, actions[action])).toBe(expected);
    const { userIds } = await stores.conversations.memberIds(conversationId);
    expect(userIds).toEqual(expect.arrayContaining(['owner', 'other']));
    expect(userIds).not.toContain('new');
  });
});
