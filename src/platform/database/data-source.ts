import pg, { type Client, type ClientBase } from 'pg';
import { DataSource, type MigrationInterface } from 'typeorm';
import { isRefusedBySession } from './errors.js';
import { prepareSession } from './session.js';

export interface DataSourceOptions {
  url: string;
  /** The most connections that are open at once. */
  poolSize: number;
  entities: (new () => object)[];
  /** Oldest first. */
  migrations: (new () => MigrationInterface)[];
}

/** Limits of every pooled session. A query that takes longer waits for a lock or a slow server, and must not hold a connection. */
export const POOL_LIMITS = {
  statement_timeout: 5000,
  lock_timeout: 4000,
  idle_in_transaction_session_timeout: 10_000,
};

const POOL = {
  connectionTimeoutMillis: 5000,
  keepAlive: true,
  // Awaited before the session is used.
  onConnect: async (client: ClientBase): Promise<void> => {
    await prepareSession(client, POOL_LIMITS);
    replaceWhenUnfit(client);
  },
};

/** Ends a client whose session cannot do its work any more: the pool then opens another in its place. */
function replaceWhenUnfit(client: ClientBase): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  const watched = (...args: unknown[]): unknown => {
    const result = query(...args);
    if (result instanceof Promise) {
      result.catch((error: unknown) => {
        if (isRefusedBySession(error)) void (client as Client).end().catch(() => {});
      });
    }
    return result;
  };
  client.query = watched as typeof client.query;
}

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
    extra: POOL,
  });
}
