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

it('finds that the migrations make just the tables that the entities describe', async () => {
  expect(await schemaDrift(dataSource)).toEqual([]);
});

it('names what is missing when a table differs from its entity', async () => {
  await dataSource.query('alter table conversations drop column title');
  expect((await schemaDrift(dataSource)).join('\n')).toContain('"title"');
});
