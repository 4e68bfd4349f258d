import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { CurrentPrincipal, TicketAllowed } from '../../auth/decorators.js';
import type { Principal } from '../../auth/principal.js';
import { RevocationList } from '../../auth/revocations/revocation-list.js';
import { Responds } from '../../platform/http/responses.decorator.js';
import { StreamIdPipe } from '../../platform/http/id.pipes.js';
import { RESPONSES } from '../../protocol/schemas/responses.js';
import { extend, ref, objectSchema, TEXT } from '../../protocol/schemas/schema.js';
import type { ControlResult, RecoverResult, StreamState } from '../../protocol/index.js';
import { AskDto, AttachQueryDto, PositionQueryDto } from '../stream.dto.js';
import { toState } from '../log/stream.rows.js';
import { StreamingService } from '../streaming.service.js';
import type { FormatName } from './formats.js';
import { positionOf } from './position.js';
import { RecoveryService } from './recovery.service.js';
import { ShowsChunks, ShowsStream } from './shows-chunks.decorator.js';
import { Viewer } from './viewer.js';
import { Viewers } from './viewers.js';

const LAST_EVENT_ID = 'last-event-id';

/** Where the same stream is read on, from the position that was asked for next. */
interface Attach {
  attach: { sse: string; http: string };
}

const RECOVERED = extend(
  RESPONSES.RecoverResult,
  objectSchema<Attach>({ attach: objectSchema<Attach['attach']>({ sse: TEXT, http: TEXT }) }),
);

/** Responds over HTTP: asked for, read, controlled (protocol section 5.8). */
@ApiTags('streams')
@ApiBearerAuth()
@Controller('ws/stream')
export class StreamController {
  constructor(
    private readonly streaming: StreamingService,
    private readonly viewers: Viewers,
    private readonly recovery: RecoveryService,
    private readonly revoked: RevocationList,
  ) {}

  @Post('sse')
  @ApiOperation({ summary: 'Ask, and read the answer as server-sent events' })
  @ShowsChunks('sse')
  askSse(
    @CurrentPrincipal() principal: Principal,
    @Body() body: AskDto,
    @Headers(LAST_EVENT_ID) lastEventId: string | undefined,
    @Res() response: Response,
  ): Promise<void> {
    return this.viewers.ask(this.viewer(response, 'sse', principal), principal, body, { lastEventId });
  }

  @Post('http')
  @ApiOperation({ summary: 'Ask, and read the answer as NDJSON: one chunk a line' })
  @ShowsChunks('http')
  askHttp(
    @CurrentPrincipal() principal: Principal,
    @Body() body: AskDto,
    @Headers(LAST_EVENT_ID) lastEventId: string | undefined,
    @Res() response: Response,
  ): Promise<void> {
    return this.viewers.ask(this.viewer(response, 'http', principal), principal, body, { lastEventId });
  }

  @Get(':streamId/sse')
  @TicketAllowed()
  @ApiOperation({ summary: 'Read an answer as server-sent events, from Last-Event-ID or fromSequence on' })
  @ShowsStream('sse')
  attachSse(
    @CurrentPrincipal() principal: Principal,
    @Param('streamId', StreamIdPipe) streamId: string,
    @Query() { fromSequence }: AttachQueryDto,
    @Headers(LAST_EVENT_ID) lastEventId: string | undefined,
    @Res() response: Response,
  ): Promise<void> {
    return this.viewers.attach(this.viewer(response, 'sse', principal), principal, streamId, {
      lastEventId,
      fromSequence,
    });
  }

  @Get(':streamId/http')
  @TicketAllowed()
  @ApiOperation({ summary: 'Read an answer as NDJSON, from Last-Event-ID or fromSequence on' })
  @ShowsStream('http')
  attachHttp(
    @CurrentPrincipal() principal: Principal,
    @Param('streamId', StreamIdPipe) streamId: string,
    @Query() { fromSequence }: AttachQueryDto,
    @Headers(LAST_EVENT_ID) lastEventId: string | undefined,
    @Res() response: Response,
  ): Promise<void> {
    return this.viewers.attach(this.viewer(response, 'http', principal), principal, streamId, {
      lastEventId,
      fromSequence,
    });
  }

  @Get(':streamId/status')
  @ApiOperation({ summary: 'The status object of an answer' })
  @Responds(200, ref('StreamState'))
  async status(
    @CurrentPrincipal() principal: Principal,
    @Param('streamId', StreamIdPipe) streamId: string,
  ): Promise<StreamState> {
    return toState(await this.streaming.visible(principal, streamId));
  }

  @Post(':streamId/pause')
  @HttpCode(200)
  @ApiOperation({ summary: 'Hold an answer, for all its readers' })
  @Responds(200, ref('ControlResult'))
  pause(
    @CurrentPrincipal() principal: Principal,
    @Param('streamId', StreamIdPipe) streamId: string,
  ): Promise<ControlResult> {
    return this.streaming.pause(principal, streamId);
  }

  @Post(':streamId/resume')
  @HttpCode(200)
  @ApiOperation({ summary: 'Go on with a paused answer' })
  @Responds(200, ref('ControlResult'))
  resume(
    @CurrentPrincipal() principal: Principal,
    @Param('streamId', StreamIdPipe) streamId: string,
  ): Promise<ControlResult> {
    return this.streaming.resume(principal, streamId);
  }

  @Post(':streamId/cancel')
  @HttpCode(200)
  @ApiOperation({ summary: 'Stop an answer; its text so far is kept' })
  @Responds(200, ref('ControlResult'))
  cancel(
    @CurrentPrincipal() principal: Principal,
    @Param('streamId', StreamIdPipe) streamId: string,
  ): Promise<ControlResult> {
    return this.streaming.cancel(principal, streamId);
  }

  @Post(':streamId/recover')
  @HttpCode(200)
  @ApiOperation({ summary: 'A page of the chunks from fromSequence on; an interrupted answer is continued' })
  @Responds(200, RECOVERED)
  async recover(
    @CurrentPrincipal() principal: Principal,
    @Param('streamId', StreamIdPipe) streamId: string,
    @Query() { fromSequence }: PositionQueryDto,
  ): Promise<RecoverResult & Attach> {
    const answer = await this.recovery.recover(principal, {
      streamId,
      fromSequence: positionOf({ fromSequence }),
    });
    const attachAs = (format: string) =>
      `/api/ws/stream/${streamId}/${format}?fromSequence=${answer.nextSequence}`;
    return { ...answer, attach: { sse: attachAs('sse'), http: attachAs('http') } };
  }

  /** Who reads with a token that is revoked reads no more, not even what was written already. */
  private viewer(response: Response, format: FormatName, principal: Principal): Viewer {
    const viewer = new Viewer(response, format);
    const user = { principal, endRevoked: () => viewer.cut() };
    this.revoked.watch(user);
    response.once('close', () => this.revoked.forget(user));
    return viewer;
  }
}
