import { Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { DatabaseModule } from '../../src/platform/database/database.module.js';
import { DedicatedConnections } from '../../src/platform/database/dedicated-connections.js';
import { databaseFunctions, type DatabaseFunction } from '../../src/platform/database/functions.js';
import { migrate } from '../../src/platform/database/migrate.js';
import { MetricsRegistry } from '../../src/platform/metrics/registry.js';
import { migrations } from '../../migrations/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { withClient } from '../support/with-client.js';

const NOTHING = { migrations: [], functions: [] };
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
  expect(done.flatMap(({ migrations: names }) => names)).toEqual(['Slow9000000000000']);
  const again = await Promise.all(both.map((dataSource) => migrate(dataSource, QUIET)));
  expect(again).toEqual([NOTHING, NOTHING]);
});

it('refuses a database that a newer version has migrated, and changes nothing', async () => {
  await migrate(await open([...migrations, Slow9000000000000]), QUIET);
  class Other8000000000000 implements MigrationInterface {
    async up(runner: QueryRunner): Promise<void> {
      await runner.query('create table other (id int)');
    }
    async down(): Promise<void> {}
  }
  const older = await open([...migrations, Other8000000000000]);
  const functions = changed('expire_streams', (text) => text.replace('return 0', 'return 0 + 0'));
  await expect(migrate(older, QUIET, { functions })).rejects.toThrow(
    'The database was migrated by a newer Streamgate (Slow9000000000000): start that version or a later one, ' +
      'or import a backup of this version into an empty database.',
  );
  expect(await older.query(`select to_regclass('other') as made`)).toEqual([{ made: null }]);
  expect(await bodyOf('expire_streams')).not.toContain('0 + 0');
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

describe('Database functions', () => {
  it('are applied once by one of several processes that start at once, when a file changed', async () => {
    const all = await Promise.all([1, 2, 3].map(() => open(migrations)));
    const functions = changed('expire_streams', (text) => text.replace('return 0', 'return 0 + 0'));
    const done = await Promise.all(all.map((dataSource) => migrate(dataSource, QUIET, { functions })));
    expect(done.flatMap(({ functions: names }) => names)).toEqual(['expire_streams']);
    expect(await bodyOf('expire_streams')).toContain('return 0 + 0');
    expect(await migrate(all[0]!, QUIET, { functions })).toEqual(NOTHING);
  });

  it.each([
    ['a result column', (text: string) => text.replace('last_sequence int,', 'sequence int,')],
    ['the name of a parameter', (text: string) => text.replaceAll('p_stream', 'p_id')],
    ['the parameters', (text: string) => text.replace('(p_stream uuid)', '(p_stream uuid, p_user text)')],
  ])('are replaced also when %s changed, and there is one of each name', async (_what, change) => {
    const dataSource = await open(migrations);
    const functions = changed('pause_stream', change);
    expect(await migrate(dataSource, QUIET, { functions })).toEqual({
      ...NOTHING,
      functions: ['pause_stream'],
    });
    const [{ text } = { text: '' }] = functions.filter(({ name }) => name === 'pause_stream');
    expect(text).toContain(await bodyOf('pause_stream'));
  });

  it('are all applied or none, and the lock is free again', async () => {
    const dataSource = await open(migrations);
    const before = await bodyOf('append_messages');
    const functions = changed('append_messages', (text) => text.replace('v_now :=', 'v_now  :=')).map(
      (one) => (one.name === 'resume_stream' ? { ...one, text: 'nonsense', sha256: 'new' } : one),
    );
    await expect(migrate(dataSource, QUIET, { functions })).rejects.toThrow('nonsense');
    expect(await bodyOf('append_messages')).toBe(before);
    expect(await migrate(dataSource, QUIET)).toEqual(NOTHING);
  });

  it('cause a warning at the start when one was changed in the database', async () => {
    const dataSource = await open(migrations);
    await dataSource.query('alter function expire_streams set work_mem = 123456');
    const warnings: unknown[] = [];
    await migrate(dataSource, { ...QUIET, warn: (...line) => warnings.push(line) });
    expect(warnings).toEqual([
      ['database functions differ from their files', { functions: ['expire_streams'] }],
    ]);
  });
});

/** The function files, with the text of one changed. */
function changed(name: string, change: (text: string) => string): DatabaseFunction[] {
  return databaseFunctions.map((one) => {
    if (one.name !== name) return one;
    const text = change(one.text);
    expect(text).not.toBe(one.text);
    return { ...one, text, sha256: 'changed' };
  });
}

/** The body of the one function of that name. */
async function bodyOf(name: string): Promise<string> {
  const rows = await withClient(database.url, (client) =>
    client.query<{ prosrc: string }>('select prosrc from pg_proc where proname = $1', [name]),
  );
  expect(rows.rowCount).toBe(1);
  return rows.rows[0]!.prosrc;
}

it('the module gives a migrated data source and dedicated connections, and closes both at shutdown', async () => {
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
