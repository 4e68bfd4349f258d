import { type DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';
import { POOL_LIMITS } from './data-source.js';
import { applyFunctions, type DatabaseFunction, functionDrift, databaseFunctions } from './functions.js';
import type { DatabaseLog } from './log.js';
import { setSettings } from './session.js';

/** Held while migrations run: of two processes that start at once, one migrates and the other waits. */
const LOCK = 5_742_002;

/** Names of what a call applied. */
interface Migrated {
  migrations: string[];
  functions: string[];
}

/**
 * Applies the pending migrations, oldest first, each in a transaction of its own; then the functions whose files changed.
 * Warns if a newer Streamgate has migrated the database, whose functions are then left alone, and if a function was
 * changed by other means.
 */
export async function migrate(
  dataSource: DataSource,
  log: DatabaseLog,
  functions: readonly DatabaseFunction[] = databaseFunctions,
): Promise<Migrated> {
  const runner = dataSource.createQueryRunner();
  try {
    // Waiting for another process and building an index both take longer than the pool's limits allow.
    await setSettings(runner, { statement_timeout: 0, lock_timeout: 0 });
    await runner.query(`select pg_advisory_lock(${LOCK})`);
    const executor = new MigrationExecutor(dataSource, runner);
    const done = await executor.executePendingMigrations();
    const known = new Set(dataSource.migrations.map(({ name, constructor }) => name ?? constructor.name));
    const unknown = (await executor.getExecutedMigrations()).filter(({ name }) => !known.has(name));
    if (unknown.length > 0) {
      log.warn('the database was migrated by a newer Streamgate', {
        unknown: unknown.map(({ name }) => name),
      });
    }
    const applied = unknown.length > 0 ? [] : await updateFunctions(runner, log, functions);
    const migrated = { migrations: done.map(({ name }) => name), functions: applied };
    if (done.length > 0 || applied.length > 0) log.info('migrated the database', migrated);
    return migrated;
  } finally {
    await runner.query(`select pg_advisory_unlock(${LOCK})`);
    await setSettings(runner, POOL_LIMITS);
    await runner.release();
  }
}

async function updateFunctions(
  runner: QueryRunner,
  log: DatabaseLog,
  functions: readonly DatabaseFunction[],
): Promise<string[]> {
  const applied = await applyFunctions(runner, functions);
  const changed = await functionDrift(runner, functions);
  if (changed.length > 0) {
    log.warn('database functions differ from their files', { functions: changed.map(({ name }) => name) });
  }
  return applied;
}

/** The statements that would make the database fit the entities and the function files; empty where it does. */
export async function schemaDrift(dataSource: DataSource): Promise<string[]> {
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  const functions = await functionDrift(dataSource, databaseFunctions);
  return [...upQueries.map(({ query }) => query), ...functions.map(({ text }) => text)];
}
