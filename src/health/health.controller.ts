import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { Public } from '../auth/public.decorator.js';
import { DatabaseHealthStore } from './database-health.store.js';

@ApiTags('operations')
@Public()
@Controller('ws/health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly database: DatabaseHealthStore,
  ) {}

  @Get()
  @HealthCheck()
  @ApiOperation({ summary: 'Everything that is checked' })
  full(): Promise<HealthCheckResult> {
    return this.health.check([() => this.database.check()]);
  }

  @Get('live')
  @HealthCheck()
  @ApiOperation({ summary: 'The process answers: restart it where this fails' })
  live(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  @Get('ready')
  @HealthCheck()
  @ApiOperation({ summary: 'Requests can be served: send none where this fails' })
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.database.check()]);
  }
}
