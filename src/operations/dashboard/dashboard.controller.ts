import { Controller, Get, Header } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal } from '../../auth/current-principal.decorator.js';
import { demand } from '../../auth/policy.js';
import type { Principal } from '../../auth/principal.js';
import { Answers } from '../../platform/http/responses.decorator.js';
import { FIGURES, DashboardService, type DashboardFigures } from './dashboard.service.js';

@ApiTags('operations')
@ApiBearerAuth()
@Controller('ws/dashboard')
export class DashboardController {
  constructor(private readonly dashboard: DashboardService) {}

  @Get()
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'What the page at /dashboard shows, of the process that answers; admins' })
  @Answers(200, FIGURES)
  read(@CurrentPrincipal() principal: Principal): Promise<DashboardFigures> {
    demand(principal, 'figures:see');
    return this.dashboard.read();
  }
}
