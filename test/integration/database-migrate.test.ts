import { Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { DatabaseModule } from '../../src/platform/database/database.module.js';
import { DedicatedConnections } from '../../src/platform/database/dedicated-connections.js';
import { migrate } from '../../src/platform/database/migrate.js';
import { MetricsRegistry } from '../../src/platform/metrics/registry.js';
import { migrations } from '../../migrations/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const QUIET = { info: () => {}, warn: () => {}, error: () => {} };

class Slow9000000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create table slow (id int)');
    await runner.query('select pg_sleep(0.3)');
  }
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table slow');
  }
}

let database: TestDatabase;
let dataSources: DataSource[];

beforeEach(async () => {
  database = await createTestDatabase();
  dataSources = [];
});

afterEach(async () => {
  await Promise.all(dataSources.map((dataSource) => dataSource.destroy()));
  await database.drop();
});

async function open(list: (new () => MigrationInterface)[]): Promise<DataSource> {
  const dataSource = createDataSource({ url: database.url, poolSize: 2, entities: [], migrations: list });
  dataSources.push(await dataSource.initialize());
  return dataSource;
}

it('is done once by one of two processes that start at once; the other waits', async () => {
  const both = [
    await open([...migrations, Slow9000000000000]),
    await open([...migrations, Slow9000000000000]),
  ];
  const done = await Promise.all(both.map((dataSource) => migrate(dataSource, QUIET)));
  expect(done.flat()).toEqual(['Slow9000000000000']);
  expect(await Promise.all(both.map((dataSource) => migrate(dataSource, QUIET)))).toEqual([[], []]);
});

it('warns when the database knows migrations that the code does not', async () => {
  await migrate(await open([...migrations, Slow9000000000000]), QUIET);
  const warnings: string[] = [];
  await migrate(await open(migrations), { ...QUIET, warn: (text) => warnings.push(text) });
  expect(warnings).toEqual([expect.stringContaining('Slow9000000000000')]);
});

it('leaves the lock and the limits of the pool as they were, also when a migration fails', async () => {
  class Bad9000000000001 implements MigrationInterface {
    async up(runner: QueryRunner): Promise<void> {
      await runner.query('create table half (id int)');
      await runner.query('nonsense');
    }
    async down(): Promise<void> {}
  }
  const dataSource = await open([...migrations, Bad9000000000001]);
  await expect(migrate(dataSource, QUIET)).rejects.toThrow('nonsense');
  const [state] = await dataSource.query<object[]>(
    `select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
            current_setting('idle_in_transaction_session_timeout') as idle, to_regclass('half') as half,
            (select count(*)::int from pg_locks where locktype = 'advisory'
               and database = (select oid from pg_database where datname = current_database())) as locks`,
  );
  expect(state).toEqual({ statement: '5s', lock: '4s', idle: '10s', half: null, locks: 0 });
});

it('the module gives a migrated data source and lanes, and closes both at shutdown', async () => {
  @Global()
  @Module({ providers: [MetricsRegistry], exports: [MetricsRegistry] })
  class Metrics {}
  @Module({
    imports: [
      Metrics,
      DatabaseModule.of({
        url: database.url,
        poolSize: 2,
        entities: [],
        migrations: [...migrations, Slow9000000000000],
        log: QUIET,
      }),
    ],
  })
  class Root {}
  const app = await Test.createTestingModule({ imports: [Root] }).compile();
  await app.init();
  const dataSource = app.get(DataSource);
  expect(await dataSource.query('select * from slow')).toEqual([]);
  const connection = app.get(DedicatedConnections).open('test');
  expect(await connection.query({ name: 'slow', text: 'select * from slow' }, [])).toEqual([]);
  await app.close();
  expect(dataSource.isInitialized).toBe(false);
  await expect(connection.query({ name: 'slow', text: 'select * from slow' }, [])).rejects.toMatchObject({
    code: 'server_draining',
  });
});
