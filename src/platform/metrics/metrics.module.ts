import { Global, Module } from '@nestjs/common';
import { HttpMetrics } from './http-metrics.js';
import { MetricsRegistry } from './registry.js';

/** Provides the {@link MetricsRegistry} to every module. */
@Global()
@Module({ providers: [MetricsRegistry, HttpMetrics], exports: [MetricsRegistry] })
export class MetricsModule {}
