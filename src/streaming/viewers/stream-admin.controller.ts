import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal } from '../../auth/decorators.js';
import { authorize } from '../../auth/policy.js';
import type { Principal } from '../../auth/principal.js';
import { Responds } from '../../platform/http/responses.decorator.js';
import { pageOf, ref } from '../../protocol/schemas/schema.js';
import { LIMITS } from '../../protocol/index.js';
import { RunningStreamsStore, type RunningPage } from '../log/running-streams.store.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import { REPORT, reportOf, type MetricsReport } from '../metrics/stream-metrics.report.js';
import { RunningQueryDto } from '../stream.dto.js';

/** What operators see of all answers. */
@ApiTags('operations')
@ApiBearerAuth()
@Controller('ws/stream')
export class StreamAdminController {
  constructor(
    private readonly running: RunningStreamsStore,
    private readonly metrics: StreamMetrics,
  ) {}

  @Get('active')
  @ApiOperation({ summary: 'The answers that have not ended, of all nodes; admins' })
  @Responds(200, pageOf(ref('StreamState')))
  async active(
    @CurrentPrincipal() principal: Principal,
    @Query() { limit = LIMITS.defaultPageMessages, cursor }: RunningQueryDto,
  ): Promise<RunningPage> {
    authorize(principal, 'streams:observe');
    return this.running.page(limit, cursor);
  }

  @Get('metrics')
  @ApiOperation({ summary: 'What this process has counted of its answers since it started; admins' })
  @Responds(200, REPORT)
  async report(@CurrentPrincipal() principal: Principal): Promise<MetricsReport> {
    authorize(principal, 'streams:observe');
    return reportOf(this.metrics);
  }
}
