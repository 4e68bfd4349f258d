import { afterEach, expect, test } from 'vitest';
import { TestClient } from '../support/client.js';
import { createTestDatabase } from '../support/database.js';
import { startServer, stopCleanly } from '../support/server.js';
import { withClient } from '../support/with-client.js';

const QUESTION = 'How do I use my own PostgreSQL?';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
}, 60_000);

/** Starts the server on a database whose sessions begin with `settings`, and uses it as two people do. */
async function use(settings: Record<string, string>): Promise<void> {
  const database = await createTestDatabase();
  cleanups.push(() => database.drop());
  const name = new URL(database.url).pathname.slice(1);
  await withClient(database.url, async (client) => {
    for (const [key, value] of Object.entries(settings))
      await client.query(`alter database ${name} set ${key} = '${value}'`);
  });
  const server = await startServer({ databaseUrl: database.url, env: { RATE_LIMIT_ENABLED: 'false' } });
  cleanups.push(() => stopCleanly(server));
  const [ann, bob] = await Promise.all(['ann', 'bob'].map((user) => TestClient.connect(server.url, user)));
  if (!ann || !bob) throw new Error('nobody is there');
  cleanups.push(() => Promise.resolve([ann, bob].forEach((client) => client.close())));
  for (const client of [ann, bob])
    await client.ask('conversation:join', { conversationId: 'room', access: 'link' });
  const question = { conversationId: 'room', clientMessageId: 'q', content: QUESTION, metadata: { a: null } };
  const sent = await ann.ask('message:send', question);
  expect(Math.abs(Date.parse(sent.message.createdAt) - Date.now())).toBeLessThan(60_000);
  await bob.waitFor('message:new', ({ streamId }) => streamId === sent.streamId && streamId !== undefined);
  const page = await bob.ask('message:history', { conversationId: 'room' });
  expect(page.messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
  expect(page.messages[0]).toMatchObject({ createdAt: sent.message.createdAt, metadata: { a: null } });
  expect((await fetch(`${server.url}/api/ws/health/ready`)).status).toBe(200);
}

test.each([
  ['German dates', { DateStyle: 'German' }],
  ['SQL dates, day first', { DateStyle: 'SQL, DMY' }],
  ['serializable transactions', { default_transaction_isolation: 'serializable' }],
  ['hardly any time for a statement', { statement_timeout: '100', lock_timeout: '1' }],
  [
    'everything else that its sessions may begin with',
    {
      DateStyle: 'Postgres',
      IntervalStyle: 'sql_standard',
      TimeZone: 'Asia/Kathmandu',
      client_encoding: 'LATIN1',
      bytea_output: 'escape',
      array_nulls: 'off',
      extra_float_digits: '-15',
      standard_conforming_strings: 'off',
      transform_null_equals: 'on',
      quote_all_identifiers: 'on',
      exit_on_error: 'on',
      idle_in_transaction_session_timeout: '1',
      idle_session_timeout: '50',
      default_transaction_isolation: 'repeatable read',
      default_transaction_deferrable: 'on',
      synchronous_commit: 'off',
      enable_indexscan: 'off',
      xmloption: 'document',
    },
  ],
])('a database with %s works as any other (P1, P2)', { timeout: 90_000 }, async (_name, settings) => {
  await use(settings);
});
