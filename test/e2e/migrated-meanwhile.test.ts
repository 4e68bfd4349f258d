import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestClient } from '../support/client.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { withClient } from '../support/with-client.js';

const TABLES = ['messages', 'conversations', 'members', 'streams', 'chunks'];

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ env: { RATE_LIMIT_ENABLED: 'false' } });
});
afterAll(() => stopCleanly(server));

test('A migration that changes the types of columns while the server runs: messages and answers go on (P1, P5)', async () => {
  const ann = await TestClient.connect(server.url, 'ann');
  await ann.ask('conversation:join', { conversationId: 'room' });
  const ask = async (clientMessageId: string): Promise<string> => {
    const question = { conversationId: 'room', clientMessageId, content: 'How do I start?' };
    const { streamId } = await ann.ask('message:send', question);
    return (await ann.waitFor('message:new', (message) => message.streamId === streamId)).content;
  };
  const before = await ask('before');
  await withClient(server.databaseUrl, async (database) => {
    const { rows } = await database.query<{ name: string; column: string }>(
      `select table_name as name, column_name as column from information_schema.columns
        where table_schema = 'public' and data_type = 'text' and table_name = any($1)`,
      [TABLES],
    );
    for (const { name, column } of rows)
      await database.query(`alter table ${name} alter column ${column} type varchar`);
  });
  expect(await ask('after')).toBe(before);
  expect((await ann.ask('message:history', { conversationId: 'room' })).messages).toHaveLength(4);
  ann.close();
});
