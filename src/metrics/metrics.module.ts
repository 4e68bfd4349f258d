import { Global, Module } from '@nestjs/common';
import { HttpMetrics } from './http-metrics.js';
import { MetricsListener } from './metrics-listener.js';
import { MetricsPage } from './metrics-page.js';
import { MetricsController } from './metrics.controller.js';
import { MetricsRegistry } from './registry.js';

/** Gives the {@link MetricsRegistry} to everybody, and its page to Prometheus. */
@Global()
@Module({
  controllers: [MetricsController],
  providers: [MetricsRegistry, MetricsPage, MetricsListener, HttpMetrics],
  exports: [MetricsRegistry],
})
export class MetricsModule {}
