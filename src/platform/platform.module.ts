import { Global, Module, type DynamicModule } from '@nestjs/common';
import { CONFIG, type Config } from './config/config.js';
import { Draining } from './lifecycle/draining.js';
import { AuthFailures } from './limits/auth-failures.js';
import { ClientAddresses } from './limits/client-addresses.js';
import { HttpLimits } from './limits/http-limits.js';
import { LimitsMetrics } from './limits/limits-metrics.js';
import { RateLimits } from './limits/rate-limits.js';
import { HttpMetrics } from './metrics/http-metrics.js';
import { MetricsRegistry } from './metrics/registry.js';
import { MemoryRelay } from './relay/memory-relay.js';
import { RelayMetrics } from './relay/relay-metrics.js';
import { Relay } from './relay/relay.js';

const SHARED = [
  MetricsRegistry,
  Draining,
  LimitsMetrics,
  RateLimits,
  ClientAddresses,
  AuthFailures,
  HttpLimits,
];

/** Provides configuration, metrics, limits, relay and {@link Draining} to every module. The database has its own module. */
@Global()
@Module({})
export class PlatformModule {
  static of(config: Config): DynamicModule {
    return {
      module: PlatformModule,
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: Relay, useClass: MemoryRelay },
        ...SHARED,
        HttpMetrics,
        RelayMetrics,
      ],
      exports: [CONFIG, Relay, ...SHARED],
    };
  }
}
