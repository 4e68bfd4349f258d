import { afterAll, beforeAll, expect, test } from 'vitest';
import { shardOfKey } from '../../src/common/group-commit.js';
import type { AppendResult } from '../../src/conversations/append.store.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { item, openStores, type OpenStores } from '../support/stores.js';

const SHARDS = 2;
const ROUNDS = 20;

let database: TestDatabase;
let stores: OpenStores;

beforeAll(async () => {
  database = await createTestDatabase();
  stores = await openStores(database.url);
});

afterAll(async () => {
  await stores.close();
  await database.drop();
});

/** An id on the same shard as `beside`: what is sent to both at once is one batch. */
function peerOf(beside: string, name: string): string {
  const shard = shardOfKey(beside, SHARDS);
  for (let n = 0; ; n += 1) if (shardOfKey(`${name}${n}`, SHARDS) === shard) return `${name}${n}`;
}

async function create(...conversationIds: string[]): Promise<void> {
  for (const id of conversationIds) await stores.conversations.create(id, { userId: 'ann' }, null, 'members');
}

/** A message of `ann`, and what became of it: its `seq`, or why not. */
async function send(conversationId: string, content: string): Promise<number | string> {
  try {
    const result = await stores.append.append({ ...item(conversationId, 'ann', content), content });
    return outcomeOf(result);
  } catch (error) {
    return (error as { code: string }).code;
  }
}

function outcomeOf(result: AppendResult): number | string {
  return result.outcome === 'stored' ? result.seq : result.outcome;
}

test('A value that the database refuses fails alone: the rest of its batch is stored in order', async () => {
  await create('batch');
  const beside = peerOf('batch', 'missing');
  const batch = Array.from({ length: 40 }, (_, n) => `m${n}`);
  const outcomes = await Promise.all(
    batch.map((text, n) => {
      if (n === 7 || n === 30) return send('batch', `${text}\0`);
      return send(n === 13 ? beside : 'batch', text);
    }),
  );
  const refused = outcomes.filter((outcome) => typeof outcome === 'string');
  expect(refused).toEqual(['internal', 'not_found', 'internal']);
  const stored = outcomes.filter((outcome) => typeof outcome === 'number');
  expect(stored).toEqual(stored.map((_, index) => index + 1));
  expect(stored).toHaveLength(37);
});

test('A conversation that is deleted meanwhile affects no other, and leaves no rows', async () => {
  await create('stays');
  const goes = peerOf('stays', 'goes');
  for (let round = 0; round < ROUNDS; round += 1) {
    await create(goes);
    await stores.conversations.addMember(goes, 'ann', 'bob');
    const sends = Array.from({ length: 20 }, (_, n) => send(n % 2 === 0 ? 'stays' : goes, `r${round}-${n}`));
    const [deleted, ...outcomes] = await Promise.all([stores.conversations.delete(goes, 'ann'), ...sends]);
    expect(deleted).toBe('deleted');
    const staying = outcomes.filter((_, n) => n % 2 === 0);
    expect(staying).toEqual(Array.from({ length: 10 }, (_, n) => round * 10 + n + 1));
    const rows = await stores.database.query<{ n: number }[]>(
      `select (select count(*) from messages where conversation_id = $1)
         + (select count(*) from deliveries where conversation_id = $1)
         + (select count(*) from members where conversation_id = $1) as n`,
      [goes],
    );
    expect(Number(rows[0]?.n)).toBe(0);
  }
});
