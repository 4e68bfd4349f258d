import { Injectable } from '@nestjs/common';
import type { Gauge } from 'prom-client';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import { DatabaseHealthStore } from './database-health.store.js';
import { GatewayHealth } from './gateway-health.js';
import { ProcessHealth } from './process-health.js';

/** Exposes readiness as a metric, so that one alert covers it. */
@Injectable()
export class HealthMetrics {
  constructor(
    registry: MetricsRegistry,
    private readonly database: DatabaseHealthStore,
    private readonly gateway: GatewayHealth,
    private readonly process: ProcessHealth,
  ) {
    registry.gauge('streamgate_ready', 'Whether a part is ready: 1, or 0.', {
      labelNames: ['part'],
      collect: (gauge) => this.set(gauge),
    });
  }

  private async set(gauge: Gauge<'part'>): Promise<void> {
    const [database, gateway] = await Promise.all([this.database.check(), this.gateway.check()]);
    for (const [part, { status }] of Object.entries({ ...database, ...gateway, ...this.process.check() })) {
      gauge.set({ part }, status === 'up' ? 1 : 0);
    }
  }
}
