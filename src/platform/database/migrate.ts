import { type DataSource, MigrationExecutor } from 'typeorm';
import type { DatabaseLog } from './log.js';

/** Held while migrations run: of two processes that start at once one works and the other waits. */
const LOCK = 5_742_002;

/**
 * Applies the pending migrations, oldest first, each in a transaction of its own; gives their names. Warns if the database knows
 * migrations that this code does not: a newer Streamgate was here.
 */
export async function migrate(dataSource: DataSource, log: DatabaseLog): Promise<string[]> {
  const runner = dataSource.createQueryRunner();
  try {
    // Waiting for another process and building an index both take longer than the pool's limits allow.
    await runner.query(`set statement_timeout = 0; set lock_timeout = 0`);
    await runner.query(`select pg_advisory_lock(${LOCK})`);
    const executor = new MigrationExecutor(dataSource, runner);
    const done = await executor.executePendingMigrations();
    const known = new Set(dataSource.migrations.map(({ name, constructor }) => name ?? constructor.name));
    const unknown = (await executor.getExecutedMigrations()).filter(({ name }) => !known.has(name));
    if (unknown.length > 0) {
      log.warn(
        `The database is newer than this Streamgate; it does not know ${unknown.map(({ name }) => name).join(', ')}.`,
      );
    }
    if (done.length > 0) log.info(`Applied ${done.length} migration(s).`);
    return done.map(({ name }) => name);
  } finally {
    await runner.query(`select pg_advisory_unlock(${LOCK}); reset statement_timeout; reset lock_timeout`);
    await runner.release();
  }
}

/** The statements that would make the database fit the entities; empty where it does. */
export async function schemaDrift(dataSource: DataSource): Promise<string[]> {
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  return upQueries.map(({ query }) => query);
}
