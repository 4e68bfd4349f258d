import { Module, type DynamicModule } from '@nestjs/common';
import { migrations } from '../../migrations/index.js';
import type { AuthKeys } from '../auth/tokens/auth-keys.js';
import { AuthModule } from '../auth/auth.module.js';
import type { Config } from '../platform/config/config.js';
import { ConfigModule } from '../platform/config/config.module.js';
import { DatabaseModule } from '../platform/database/database.module.js';
import type { DatabaseLog } from '../platform/database/log.js';
import { entities } from './entities.js';
import { GatewayModule } from '../gateway/gateway.module.js';
import { HealthModule } from '../operations/health/health.module.js';
import { MetricsModule } from '../platform/metrics/metrics.module.js';
import { MetricsPageModule } from '../operations/metrics/metrics-page.module.js';
import { LimitsModule } from '../platform/limits/limits.module.js';
import { LifecycleModule } from '../platform/lifecycle/lifecycle.module.js';
import { RelayModule } from '../platform/relay/relay.module.js';
import { StatsModule } from '../operations/stats/stats.module.js';
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
        ConfigModule.of(config),
        MetricsModule,
        DatabaseModule.of({ url: databaseUrl, poolSize, entities, migrations, log }),
        LifecycleModule,
        LimitsModule,
        RelayModule,
        AuthModule.of(keys),
        StreamingModule,
        GatewayModule,
        StatsModule,
        HealthModule,
        MetricsPageModule,
      ],
    };
  }
}
