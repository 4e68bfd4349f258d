import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { ProviderRegistry } from '../../providers/provider-registry.js';
import { NodeLease } from '../../streaming/ownership/node-lease.js';
import { StreamMetrics } from '../../streaming/metrics/stream-metrics.js';
import { reportOf } from '../../streaming/metrics/stream-metrics.report.js';

/** Reports on answers, their provider, and other servers. Never down: without answers the server still carries messages. */
@Injectable()
export class AnswersHealth {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly metrics: StreamMetrics,
    private readonly providers: ProviderRegistry,
    private readonly lease: NodeLease,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async streams(): Promise<HealthIndicatorResult> {
    const { streams } = await reportOf(this.metrics);
    const active = this.metrics.countRunning();
    return this.indicators.check('streams').up({ active, successRate: streams.successRate });
  }

  /** `degraded` while another server uses the same database: no relay connects them yet. */
  nodes(): HealthIndicatorResult {
    const { otherNodes: others } = this.lease;
    return this.indicators.check('nodes').up({ others, degraded: others > 0 });
  }

  /** `degraded` while the breaker is open or half-open. */
  provider(): HealthIndicatorResult {
    const { breakerState: breaker } = this.providers;
    const figures = { name: this.config.PROVIDER, breaker, degraded: breaker !== 'closed' };
    return this.indicators.check('provider').up(figures);
  }
}
