import { Controller, Get } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal } from '../../auth/decorators.js';
import { authorize } from '../../auth/policy.js';
import type { Principal } from '../../auth/principal.js';
import { Responds } from '../../platform/http/responses.decorator.js';
import { FIGURES, DashboardService, type DashboardFigures } from './dashboard.service.js';

@ApiTags('operations')
@ApiBearerAuth()
@Controller('ws/dashboard')
export class DashboardController {
  constructor(private readonly dashboard: DashboardService) {}

  @Get()
  @ApiOperation({ summary: 'Get the figures of the dashboard, for the process that responds; admins only' })
  @Responds(200, FIGURES)
  read(@CurrentPrincipal() principal: Principal): Promise<DashboardFigures> {
    authorize(principal, 'figures:see');
    return this.dashboard.read();
  }
}
