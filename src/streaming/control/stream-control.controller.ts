import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal } from '../../auth/decorators.js';
import { authorize } from '../../auth/policy.js';
import type { Principal } from '../../auth/principal.js';
import type { CursorPage } from '../../common/cursor-page.js';
import { StreamIdPipe } from '../../platform/http/id.pipes.js';
import { Responds } from '../../platform/http/responses.decorator.js';
import { LIMITS, type ControlResult, type StreamState } from '../../protocol/index.js';
import { pageOf, ref } from '../../protocol/schemas/schema.js';
import { toState } from '../log/stream.rows.js';
import { StreamsStore } from '../log/streams.store.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import { REPORT, reportOf, type MetricsReport } from '../metrics/stream-metrics.report.js';
import { StreamAccess } from '../stream-access.js';
import { RunningQueryDto } from '../streaming.dto.js';
import { StreamControls } from './stream-controls.js';

/** Status and controls of one answer (protocol section 5.8). */
@ApiTags('streams')
@ApiBearerAuth()
@Controller('ws/stream')
export class StreamControlController {
  constructor(
    private readonly access: StreamAccess,
    private readonly controls: StreamControls,
  ) {}

  @Get(':streamId/status')
  @ApiOperation({ summary: 'Get the status of an answer' })
  @Responds(200, ref('StreamState'))
  async status(
    @CurrentPrincipal() principal: Principal,
    @Param('streamId', StreamIdPipe) streamId: string,
  ): Promise<StreamState> {
    return toState(await this.access.visible(principal, streamId));
  }

  @Post(':streamId/pause')
  @HttpCode(200)
  @ApiOperation({ summary: 'Pause an answer, for all its readers' })
  @Responds(200, ref('ControlResult'))
  pause(
    @CurrentPrincipal() principal: Principal,
    @Param('streamId', StreamIdPipe) streamId: string,
  ): Promise<ControlResult> {
    return this.controls.pause(principal, streamId);
  }

  @Post(':streamId/resume')
  @HttpCode(200)
  @ApiOperation({ summary: 'Resume a paused answer' })
  @Responds(200, ref('ControlResult'))
  resume(
    @CurrentPrincipal() principal: Principal,
    @Param('streamId', StreamIdPipe) streamId: string,
  ): Promise<ControlResult> {
    return this.controls.resume(principal, streamId);
  }

  @Post(':streamId/cancel')
  @HttpCode(200)
  @ApiOperation({ summary: 'Cancel an answer; its text so far is kept' })
  @Responds(200, ref('ControlResult'))
  cancel(
    @CurrentPrincipal() principal: Principal,
    @Param('streamId', StreamIdPipe) streamId: string,
  ): Promise<ControlResult> {
    return this.controls.cancel(principal, streamId);
  }
}

/** All answers, for operators. */
@ApiTags('operations')
@ApiBearerAuth()
@Controller('ws/stream')
export class StreamAdminController {
  constructor(
    private readonly streams: StreamsStore,
    private readonly metrics: StreamMetrics,
  ) {}

  @Get('active')
  @ApiOperation({ summary: 'List the running answers of all nodes (admins only)' })
  @Responds(200, pageOf(ref('StreamState')))
  async active(
    @CurrentPrincipal() principal: Principal,
    @Query() { limit = LIMITS.defaultPageMessages, cursor }: RunningQueryDto,
  ): Promise<CursorPage<StreamState>> {
    authorize(principal, 'streams:observe');
    return this.streams.pageOfRunning(limit, cursor);
  }

  @Get('metrics')
  @ApiOperation({ summary: 'Metrics of this process’s answers since its start (admins only)' })
  @Responds(200, REPORT)
  async report(@CurrentPrincipal() principal: Principal): Promise<MetricsReport> {
    authorize(principal, 'streams:observe');
    return reportOf(this.metrics);
  }
}
