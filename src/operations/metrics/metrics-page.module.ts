import { Module } from '@nestjs/common';
import { MetricsListener } from './metrics-listener.js';
import { MetricsPage } from './metrics-page.js';
import { MetricsController } from './metrics.controller.js';

/** Serves the metrics to Prometheus. */
@Module({ controllers: [MetricsController], providers: [MetricsPage, MetricsListener] })
export class MetricsPageModule {}
