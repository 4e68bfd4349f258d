import { Controller, Get } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal } from '../auth/current-principal.decorator.js';
import type { Principal } from '../auth/principal.js';
import { DomainError } from '../common/domain-error.js';
import { StatsService, type Stats } from './stats.service.js';

@ApiTags('operations')
@ApiBearerAuth()
@Controller('ws/stats')
export class StatsController {
  constructor(private readonly stats: StatsService) {}

  @Get()
  @ApiOperation({
    summary: 'How many are connected, present and typing, and what waits in the queue; admins',
  })
  read(@CurrentPrincipal() principal: Principal): Promise<Stats> {
    if (!principal.isAdmin) throw new DomainError('forbidden', 'Only admins may see the figures.');
    return this.stats.read();
  }
}
