import {
  type DynamicModule,
  Global,
  Inject,
  Injectable,
  Module,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { MetricsRegistry } from '../metrics/registry.js';
import { CommitMetrics } from './commit-metrics.js';
import { createDataSource, type DataSourceOptions } from './data-source.js';
import { DedicatedConnections } from './dedicated-connections.js';
import type { DatabaseLog } from './log.js';
import { migrate } from './migrate.js';
import { sqlStateOf } from './errors.js';
import { noRightToCreate, type ServerFacts } from './server-facts.js';
import { StartError } from './start-error.js';

/** The pool of connections for reads and rare writes. */
@Injectable()
class PoolMetrics {
  constructor(registry: MetricsRegistry, dataSource: DataSource) {
    // TypeORM's driver keeps it as `master`, and has no type for it.
    const pool = (dataSource.driver as unknown as { master: Pool }).master;
    registry.gauge('streamgate_database_pool_connections', 'Open connections of the pool.', {
      labelNames: ['state'],
      collect: (gauge) => {
        gauge.set({ state: 'idle' }, pool.idleCount);
        gauge.set({ state: 'busy' }, pool.totalCount - pool.idleCount);
      },
    });
    registry.gauge('streamgate_database_pool_waiting', 'Queries that wait for a connection of the pool.', {
      collect: (gauge) => gauge.set(pool.waitingCount),
    });
  }
}

/**
 * Provides the connected and migrated {@link DataSource} and the {@link DedicatedConnections} to all modules, and closes both
 * when the application has shut down.
 */
@Global()
@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  static of({ log, ...options }: DataSourceOptions & { log: DatabaseLog }): DynamicModule {
    const dataSourceFactory = async (): Promise<DataSource> => {
      const dataSource = await createDataSource(options).initialize();
      await migrateOrAdvise(dataSource, log);
      return dataSource;
    };
    return {
      module: DatabaseModule,
      imports: [
        TypeOrmModule.forRootAsync({
          // `npm start` waits for the database, and reports its faults.
          useFactory: () => ({ type: 'postgres', toRetry: () => false }),
          dataSourceFactory,
        }),
      ],
      providers: [
        { provide: DedicatedConnections, useValue: new DedicatedConnections({ url: options.url, log }) },
        CommitMetrics,
        PoolMetrics,
      ],
      exports: [DedicatedConnections, CommitMetrics],
    };
  }

  constructor(@Inject(DedicatedConnections) private readonly connections: DedicatedConnections) {}

  onApplicationShutdown(): Promise<void> {
    return this.connections.close();
  }
}

const INSUFFICIENT_PRIVILEGE = '42501';

/** @throws {StartError} with what to grant, where the user may not make what a migration or a function needs. */
async function migrateOrAdvise(dataSource: DataSource, log: DatabaseLog): Promise<void> {
  try {
    await migrate(dataSource, log);
  } catch (error) {
    if (sqlStateOf(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    const [place] = await dataSource.query<ServerFacts[]>(
      'select current_user as "user", current_schema()::text as schema, current_database() as database',
    );
    const { message, remedy } = noRightToCreate(place as ServerFacts);
    throw new StartError(`PostgreSQL ${message} (${(error as Error).message}): ${remedy}.`, { cause: error });
  }
}
