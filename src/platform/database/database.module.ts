import { type DynamicModule, Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { CommitMetrics } from './commit-metrics.js';
import { createDataSource, type DataSourceOptions } from './data-source.js';
import { DedicatedConnections } from './dedicated-connections.js';
import type { DatabaseLog } from './log.js';
import { migrate } from './migrate.js';
import { PoolMetrics } from './pool-metrics.js';

/**
 * Provides the connected and migrated {@link DataSource} and the {@link DedicatedConnections} to all modules, and closes both
 * when the application has shut down.
 */
@Global()
@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  static of({ log, ...options }: DataSourceOptions & { log: DatabaseLog }): DynamicModule {
    const useFactory = async (): Promise<DataSource> => {
      const dataSource = await createDataSource(options).initialize();
      await migrate(dataSource, log);
      return dataSource;
    };
    return {
      module: DatabaseModule,
      providers: [
        { provide: DataSource, useFactory },
        { provide: DedicatedConnections, useValue: new DedicatedConnections({ url: options.url, log }) },
        CommitMetrics,
        PoolMetrics,
      ],
      exports: [DataSource, DedicatedConnections, CommitMetrics],
    };
  }

  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(DedicatedConnections) private readonly connections: DedicatedConnections,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await this.connections.close();
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }
}
