import { Controller, Get, UseFilters } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { Public } from '../../auth/decorators.js';
import { AnswersHealth } from './answers-health.js';
import { DatabaseHealthStore } from './database-health.store.js';
import { GatewayHealth } from './gateway-health.js';
import { Probe } from './health-check.decorator.js';
import { HealthFilter } from './health.filter.js';
import { ProcessHealth } from './process-health.js';

@ApiTags('operations')
@Public()
@UseFilters(HealthFilter)
@Controller('ws/health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly database: DatabaseHealthStore,
    private readonly gateway: GatewayHealth,
    private readonly answers: AnswersHealth,
    private readonly process: ProcessHealth,
  ) {}

  @Get()
  @Probe()
  @ApiOperation({ summary: 'Everything that is checked, with figures' })
  full(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.database.check(),
      () => this.gateway.check(),
      () => this.answers.streams(),
      () => this.answers.provider(),
      () => this.process.check(),
    ]);
  }

  @Get('live')
  @Probe()
  @ApiOperation({ summary: 'The process answers: restart it where this fails' })
  live(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  @Get('ready')
  @Probe()
  @ApiOperation({ summary: 'Requests can be served: send none where this fails' })
  ready(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.database.check(),
      () => this.gateway.check(),
      () => this.process.check(),
    ]);
  }
}
