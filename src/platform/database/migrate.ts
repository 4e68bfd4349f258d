import { type DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';
import { POOL_LIMITS } from './data-source.js';
import { applyFunctions, type DatabaseFunction, functionDrift, databaseFunctions } from './functions.js';
import type { DatabaseLog } from './log.js';
import { setSettings } from './session.js';
import { StartError } from './start-error.js';

/** Held while migrations run: of two processes that start at once, one migrates and the other waits. */
const LOCK = 5_742_002;

/** Names of what a call applied. */
interface Migrated {
  migrations: string[];
  functions: string[];
}

interface MigrateOptions {
  /** Function files to apply; all of them by default. */
  functions?: readonly DatabaseFunction[];
  /** Names of all migrations of this version; by default those of the data source, which may have fewer. */
  known?: readonly string[];
}

/**
 * Applies the pending migrations, oldest first, each in a transaction of its own; then the functions whose files changed.
 * Warns if a function was changed by other means.
 * @throws {StartError} and changes nothing, if a newer version has migrated the database.
 */
export async function migrate(
  dataSource: DataSource,
  log: DatabaseLog,
  { functions = databaseFunctions, known = namesOf(dataSource.migrations) }: MigrateOptions = {},
): Promise<Migrated> {
  const runner = dataSource.createQueryRunner();
  try {
    // Waiting for another process and building an index both take longer than the pool's limits allow.
    await setSettings(runner, { statement_timeout: 0, lock_timeout: 0 });
    await runner.query(`select pg_advisory_lock(${LOCK})`);
    const executor = new MigrationExecutor(dataSource, runner);
    refuseNewer(namesOf(await executor.getExecutedMigrations()), known);
    const migrations = namesOf(await executor.executePendingMigrations());
    const migrated = { migrations, functions: await updateFunctions(runner, log, functions) };
    if (migrations.length > 0 || migrated.functions.length > 0) log.info('migrated the database', migrated);
    return migrated;
  } finally {
    await runner.query(`select pg_advisory_unlock(${LOCK})`);
    await setSettings(runner, POOL_LIMITS);
    await runner.release();
  }
}

function namesOf(migrations: readonly { name?: string }[]): string[] {
  return migrations.map(({ name, constructor }) => name ?? constructor.name);
}

function refuseNewer(executed: readonly string[], known: readonly string[]): void {
  const unknown = executed.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new StartError(
    `The database was migrated by a newer Streamgate (${unknown.join(', ')}): start that version or a later one, ` +
      'or import a backup of this version into an empty database.',
  );
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
