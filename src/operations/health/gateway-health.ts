import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { NodeIdentity } from '../../common/ids.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { ConnectionRegistry } from '../../presence/registry/connection-registry.js';

/** Checks that there is room for more connections. */
@Injectable()
export class GatewayHealth {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly registry: ConnectionRegistry,
    private readonly node: NodeIdentity,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async check(): Promise<HealthIndicatorResult> {
    const indicator = this.indicators.check('gateway');
    const { totalConnections: connections, uniqueUsers: users } = await this.registry.figures(this.node.id);
    const figures = { connections, users, maxConnections: this.config.MAX_CONNECTIONS };
    if (connections < figures.maxConnections) return indicator.up(figures);
    return indicator.down({ ...figures, message: 'there is no room for further connections' });
  }
}
