import { Controller, Get } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal } from '../../auth/decorators.js';
import { authorize } from '../../auth/policy.js';
import type { Principal } from '../../auth/principal.js';
import { Responds } from '../../platform/http/responses.decorator.js';
import { STATS, StatsService, type Stats } from './stats.service.js';

@ApiTags('operations')
@ApiBearerAuth()
@Controller('ws/stats')
export class StatsController {
  constructor(private readonly stats: StatsService) {}

  @Get()
  @ApiOperation({
    summary: 'Get the numbers of connections, present and typing users, and queued deliveries; admins only',
  })
  @Responds(200, STATS)
  read(@CurrentPrincipal() principal: Principal): Promise<Stats> {
    authorize(principal, 'figures:see');
    return this.stats.read();
  }
}
