import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runExportCommand } from '../../src/operations/transfer/export.command.js';
import { runImportCommand } from '../../src/operations/transfer/import.command.js';
import { readConfig } from '../../src/platform/config/config.js';
import { TestClient } from '../support/client.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { withClient } from '../support/with-client.js';

let folder: string;
let file: string;
let server: TestServer;
let target: TestDatabase;
let said: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'streamgate-transfer-'));
  file = join(folder, 'export.gz');
  server = await startServer({ databaseUrl: '', env: { RATE_LIMIT_ENABLED: 'false', DATA_DIR: folder } });
  target = await createTestDatabase();
}, 120_000);

afterAll(async () => {
  await stopCleanly(server);
  await target.drop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

/** What a command needs, for the embedded database of the server or for `url`. */
function terminal(url?: string, out = createWriteStream('/dev/null')) {
  said = [];
  const load = () => readConfig({ DATA_DIR: folder, ...(url && { DATABASE_URL: url }) });
  return { out, say: (text: string) => void said.push(text), load };
}

test('all data goes from the embedded database of a running server to another PostgreSQL, where chats go on (P1, P3)', async () => {
  const ann = await TestClient.connect(server.url, 'ann');
  await ann.ask('conversation:join', { conversationId: 'room', access: 'link' });
  const bob = await TestClient.connect(server.url, 'bob');
  await bob.ask('conversation:join', { conversationId: 'room' });
  for (const [n, content] of ['quotes " and \\ and \n', 'ünïcödé 🎈', ' , [ ] { } NULL '].entries())
    await ann.ask('message:send', {
      conversationId: 'room',
      clientMessageId: `m${n}`,
      content,
      respond: false,
    });
  const question = { conversationId: 'room', clientMessageId: 'q', content: 'How do I make a backup?' };
  const { streamId } = await ann.ask('message:send', question);
  await ann.waitFor(
    'message:new',
    (message) => message.streamId === streamId && message.role === 'assistant',
  );
  const before = await ann.ask('message:history', { conversationId: 'room' });
  for (const client of [ann, bob]) client.close();

  expect([await runExportCommand(['--file', file], terminal()), said.at(-1)]).toMatchObject([
    0,
    expect.stringMatching(/^Exported \d+ rows of \d+ tables\.$/),
  ]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect([await runImportCommand(['--file', file], terminal(target.url)), said.at(-1)]).toMatchObject([
    0,
    expect.stringMatching(/^Imported and verified \d+ rows of \d+ tables\.$/),
  ]);

  const second = await startServer({ databaseUrl: target.url, env: { RATE_LIMIT_ENABLED: 'false' } });
  try {
    const again = await TestClient.connect(second.url, 'ann');
    await again.ask('conversation:join', { conversationId: 'room' });
    expect(await again.ask('message:history', { conversationId: 'room' })).toEqual(before);
    const next = { conversationId: 'room', clientMessageId: 'next', content: 'x', respond: false };
    expect((await again.ask('message:send', next)).message.seq).toBe(before.messages.length + 1);
    again.close();
  } finally {
    await second.terminate();
  }
}, 120_000);

test('a database with data is left alone unless it is to be replaced', async () => {
  expect(await runImportCommand(['--file', file], terminal(target.url))).toBe(1);
  expect(said.join()).toContain('--replace');
  const count = () =>
    withClient(target.url, async (client) => {
      const { rows } = await client.query<{ count: number }>('select count(*)::int as count from messages');
      return rows[0]?.count;
    });
  const before = await count();
  expect(await runImportCommand(['--file', file, '--replace'], terminal(target.url))).toBe(0);
  expect(await count()).toBe((before ?? 0) - 1);
}, 60_000);

test('a database that a newer version has migrated is refused by the server and by an import, and left as it is', async () => {
  const contents = () =>
    withClient(target.url, async (client) => {
      const { rows } = await client.query<{ id: string }>('select id from messages order by id');
      return rows;
    });
  const later = `'Later9000000000000'`;
  await withClient(target.url, (client) =>
    client.query(`insert into migrations (timestamp, name) values (9000000000000, ${later})`),
  );
  const before = await contents();
  const sentence = 'The database was migrated by a newer Streamgate (Later9000000000000): start that version';
  await expect(startServer({ databaseUrl: target.url })).rejects.toThrow(
    `Streamgate cannot start. ${sentence}`,
  );
  expect(await runImportCommand(['--file', file, '--replace'], terminal(target.url))).toBe(1);
  expect(said.at(-1)).toContain(sentence);
  expect(await contents()).toEqual(before);
  await withClient(target.url, (client) => client.query(`delete from migrations where name = ${later}`));
}, 60_000);

test('an export that is cut off, or that goes to stdout, is told from a whole one', async () => {
  const copy = join(folder, 'copy.gz');
  expect(await runExportCommand([], terminal(target.url, createWriteStream(copy)))).toBe(0);
  expect(
    await runImportCommand(['--replace'], terminal(target.url), createReadStream(copy)),
    said.join(),
  ).toBe(0);
  const { length } = await readFile(copy);
  await truncate(copy, length - 30);
  expect(await runImportCommand(['--file', copy, '--replace'], terminal(target.url))).toBe(1);
  const { rows } = await withClient(target.url, (client) => client.query('select from messages limit 1'));
  expect(rows).toHaveLength(1);
}, 60_000);

test('an export while messages are written is of one moment, and imports without a gap', async () => {
  const copy = join(folder, 'moving.gz');
  const ann = await TestClient.connect(server.url, 'ann');
  await ann.ask('conversation:join', { conversationId: 'busy' });
  const over = new AbortController();
  let sent = 0;
  const write = async (): Promise<void> => {
    while (!over.signal.aborted) {
      sent += 1;
      const message = { conversationId: 'busy', clientMessageId: `b${sent}`, content: 'x'.repeat(200) };
      await ann.ask('message:send', { ...message, respond: false });
    }
  };
  const writing = write();
  await eventually(() => sent > 20, 'messages are being written');
  const exported = await runExportCommand(['--file', copy], terminal());
  const after = sent;
  over.abort();
  await writing;
  ann.close();
  expect(exported).toBe(0);
  expect(await runImportCommand(['--file', copy, '--replace'], terminal(target.url)), said.join()).toBe(0);
  const { rows } = await withClient(target.url, (client) =>
    client.query<{ count: number; last: number; last_seq: number }>(
      `select count(*)::int as count, max(m.seq)::int as last, c.last_seq::int as last_seq
       from messages m join conversations c on c.id = m.conversation_id where c.id = 'busy' group by c.last_seq`,
    ),
  );
  const { count = 0, last, last_seq: lastSeq } = rows[0] ?? {};
  expect([last, lastSeq]).toEqual([count, count]);
  expect(count).toBeGreaterThanOrEqual(20);
  expect(count).toBeLessThanOrEqual(after);
}, 60_000);
