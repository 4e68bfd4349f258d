import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { migrations } from '../../migrations/index.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { schemaDrift } from '../../src/platform/database/migrate.js';
import { entities } from '../../src/app/entities.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let dataSource: DataSource;

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = createDataSource({ url: database.url, poolSize: 2, entities, migrations });
  await dataSource.initialize();
});

afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

it('finds that migrations and function files make just what entities and files describe', async () => {
  expect(await schemaDrift(dataSource)).toEqual([]);
});

it('names what is missing when a table differs from its entity', async () => {
  await dataSource.query('alter table conversations drop column title');
  expect((await schemaDrift(dataSource)).join('\n')).toContain('"title"');
});

it.each([
  ['changed', 'alter function pause_stream set work_mem = 123456', 'pause_stream'],
  ['dropped', 'drop function resume_stream', 'resume_stream'],
  ['overloaded', 'create function end_stream() returns int language sql as $$ select 1 $$', 'end_stream'],
])('names a function that was %s in the database', async (_how, statement, name) => {
  const before = await schemaDrift(dataSource);
  await dataSource.query(statement);
  const added = (await schemaDrift(dataSource)).filter((one) => !before.includes(one));
  expect(added).toEqual([expect.stringContaining(`create or replace function ${name}(`)]);
});
