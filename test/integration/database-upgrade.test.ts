import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { migrations } from '../../migrations/index.js';
import { entities } from '../../src/app/entities.js';
import { RevocationEntity } from '../../src/auth/revocations/revocation.entity.js';
import { RevocationsStore } from '../../src/auth/revocations/revocations.store.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { databaseFunctions } from '../../src/platform/database/functions.js';
import { migrate, schemaDrift } from '../../src/platform/database/migrate.js';
import { item, openStores, type OpenStores } from '../support/stores.js';
import { urlOfDatabase, withClient } from '../support/with-client.js';

const QUIET = { info: () => {}, warn: () => {}, error: () => {} };
const DUMP = join(import.meta.dirname, '../fixtures/database-before-function-files.sql');

const name = `${inject('templateDatabase')}_${randomBytes(6).toString('hex')}`;
let database: DataSource;
let stores: OpenStores;

beforeAll(async () => {
  const adminUrl = inject('adminUrl');
  const url = urlOfDatabase(adminUrl, name);
  await withClient(adminUrl, (client) => client.query(`create database ${name} template template0`));
  const dump = await readFile(DUMP, 'utf8');
  await withClient(url, (client) => client.query(dump));
  database = await createDataSource({ url, poolSize: 2, entities, migrations }).initialize();
  stores = await openStores(url);
});

afterAll(async () => {
  await stores.close();
  await database.destroy();
  await withClient(inject('adminUrl'), (client) => client.query(`drop database ${name} with (force)`));
});

test('A database made before functions were files is upgraded in place, and nothing drifts', async () => {
  expect(await migrate(database, QUIET)).toEqual({
    migrations: [
      'FunctionFiles1764000000008',
      'WriteProbes1764000000009',
      'StreamsOfConversation1764000000010',
    ],
    functions: databaseFunctions.map((one) => one.name),
  });
  expect(await schemaDrift(database)).toEqual([]);
  expect(await migrate(database, QUIET)).toEqual({ migrations: [], functions: [] });
});

test('What it held is there', async () => {
  const { messages } = await stores.messages.page({
    ...{ conversationId: 'team', readerId: 'bob', afterSeq: 0, limit: 50 },
  });
  expect(messages.map(({ seq, senderId, content, metadata }) => [seq, senderId, content, metadata])).toEqual([
    [1, 'alice', 'Good morning', { n: 0 }],
    [2, 'alice', 'Naïve café ☕', { n: 1 }],
    [3, 'alice', `It's \\ a 'quote'`, { n: 2 }],
    [4, 'alice', 'The last one', { n: 3 }],
    [5, 'alice', 'After the drop', {}],
  ]);
  const snapshot = await stores.snapshots.of({ conversationId: 'team', userId: 'bob', afterSeq: 4 });
  expect(snapshot).toMatchObject({
    conversation: { id: 'team', title: 'The team', lastSeq: 5 },
    messages: [{ seq: 5 }],
  });
  const queue = await stores.deliveries.next({ userId: 'carol', afterId: '0', live: new Map() });
  expect(queue).toMatchObject({ items: [{ message: { seq: 5 } }], dropped: 4, overdue: false });
  expect(await new RevocationsStore(database.getRepository(RevocationEntity)).since(0)).toMatchObject([
    { kind: 'sub', value: 'mallory' },
  ]);
});

test('Its streams can be replayed, and are what their messages say', async () => {
  const [stream] = await database.query<{ id: string; seq: string }[]>(
    `select s.id, m.seq from streams s join messages m on m.stream_id = s.id where s.status = 'completed'`,
  );
  const chunks = await stores.chunks.read(stream!.id, 0);
  expect(chunks.at(-1)).toMatchObject({ type: 'complete' });
  const message = await stores.messages.one('open', Number(stream!.seq));
  expect(chunks.map(({ content }) => content).join('')).toBe(message?.content);
});

test('It goes on where it was: numbers, duplicates, queues and positions', async () => {
  expect(await stores.append.append(item('team', 'alice', 'm1'))).toMatchObject({
    outcome: 'duplicate',
    seq: 1,
  });
  expect(await stores.append.append(item('team', 'alice', 'new'))).toMatchObject({
    outcome: 'stored',
    seq: 6,
  });
  const request = { userId: 'carol', afterId: '0', live: new Map<string, number>() };
  expect(await stores.deliveries.next(request)).toMatchObject({
    items: [{ message: { seq: 5 } }, { message: { seq: 6 } }],
  });
  const positions = { userId: 'carol', conversationId: 'team', deliveredSeq: 6, readSeq: 5 };
  expect(await stores.acks.ack(positions)).toEqual({ ...positions, moved: true });
  expect((await stores.deliveries.next(request)).items).toEqual([]);
});
