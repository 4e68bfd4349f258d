import pg from 'pg';
import { DataSource, type MigrationInterface } from 'typeorm';

export interface DataSourceOptions {
  url: string;
  /** The most connections that are open at once. */
  poolSize: number;
  entities: (new () => object)[];
  /** Oldest first. */
  migrations: (new () => MigrationInterface)[];
}

/** Limits of every pooled session. A query that takes longer waits for a lock or a slow server, and must not hold a connection. */
const SESSION = {
  statement_timeout: 5000,
  lock_timeout: 4000,
  idle_in_transaction_session_timeout: 10_000,
  connectionTimeoutMillis: 5000,
  keepAlive: true,
};

/** Returns a data source that is not connected yet. The schema comes from migrations alone. */
export function createDataSource({ url, poolSize, entities, migrations }: DataSourceOptions): DataSource {
  return new DataSource({
    type: 'postgres',
    // Loaded by name it would be a second copy beside the one in the bundle, with error classes of its own.
    driver: pg,
    url,
    poolSize,
    entities,
    migrations,
    synchronize: false,
    migrationsTransactionMode: 'each',
    applicationName: 'streamgate',
    extra: SESSION,
  });
}
