import { Module, type DynamicModule } from '@nestjs/common';
import { migrations } from '../../migrations/index.js';
import type { AuthKeys } from '../auth/tokens/auth-keys.js';
import { AuthModule } from '../auth/auth.module.js';
import type { Config } from '../platform/config/config.js';
import { DatabaseModule } from '../platform/database/database.module.js';
import type { DatabaseLog } from '../platform/database/log.js';
import { entities } from './entities.js';
import { GatewayModule } from '../gateway/gateway.module.js';
import { OperationsModule } from '../operations/operations.module.js';
import { PlatformModule } from '../platform/platform.module.js';
import { StreamingModule } from '../streaming/streaming.module.js';

/** Everything that the application is composed of. */
export interface AppOptions {
  config: Config;
  keys: AuthKeys;
  databaseUrl: string;
  log: DatabaseLog;
}

/** Composes the whole service. */
@Module({})
export class AppModule {
  static of({ config, keys, databaseUrl, log }: AppOptions): DynamicModule {
    const poolSize = config.DATABASE_POOL_SIZE;
    return {
      module: AppModule,
      imports: [
        PlatformModule.of(config),
        DatabaseModule.of({ url: databaseUrl, poolSize, entities, migrations, log }),
        AuthModule.of(keys),
        StreamingModule,
        GatewayModule,
        OperationsModule,
      ],
    };
  }
}
