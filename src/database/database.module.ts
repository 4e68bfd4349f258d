import { type DynamicModule, Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { createDataSource, type DataSourceOptions } from './data-source.js';
import type { DatabaseLog } from './log.js';
import { migrate } from './migrate.js';

/** Gives the connected and migrated {@link DataSource} to everybody, and closes it when the application has shut down. */
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
      providers: [{ provide: DataSource, useFactory }],
      exports: [DataSource],
    };
  }

  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  async onApplicationShutdown(): Promise<void> {
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }
}
