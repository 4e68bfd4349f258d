import { Module } from '@nestjs/common';
import { ProviderRegistry } from './provider-registry.js';
import { ProviderMetrics } from './resilience/provider-metrics.js';

/** Provides the {@link ProviderRegistry}. Needs the configuration. */
@Module({ providers: [ProviderRegistry, ProviderMetrics], exports: [ProviderRegistry] })
export class ProvidersModule {}
