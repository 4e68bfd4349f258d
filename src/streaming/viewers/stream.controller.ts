import { Body, Controller, Get, Headers, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { TicketRequestDto } from '../../auth/auth.dto.js';
import { CurrentPrincipal, TicketAllowed } from '../../auth/decorators.js';
import type { Principal } from '../../auth/principal.js';
import { RevocationList } from '../../auth/revocations/revocation-list.js';
import { TicketService, type Ticket } from '../../auth/tokens/ticket.service.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { Responds } from '../../platform/http/responses.decorator.js';
import { StreamIdPipe } from '../../platform/http/id.pipes.js';
import { RESPONSES } from '../../protocol/schemas/responses.js';
import { extend, objectSchema, says, TEXT, TIME } from '../../protocol/schemas/schema.js';
import type { RecoverResult } from '../../protocol/index.js';
import { StreamAccess } from '../stream-access.js';
import { AskDto, AttachQueryDto, PositionQueryDto } from '../streaming.dto.js';
import type { FormatName } from './formats.js';
import { RecoveryService } from './recovery.service.js';
import { ShowsChunks, ShowsStream } from './shows-chunks.decorator.js';
import { positionOf } from './stream-reader.js';
import { Viewer } from './viewer.js';
import { Viewers } from './viewers.js';

const LAST_EVENT_ID = 'last-event-id';

/** Paths that read the same stream live, from `nextSequence` on. */
interface Attach {
  attach: { sse: string; http: string };
}

const RECOVERED = extend(
  RESPONSES.RecoverResult,
  objectSchema<Attach>({ attach: objectSchema<Attach['attach']>({ sse: TEXT, http: TEXT }) }),
);

/** Answers over HTTP: ask for them and read them (protocol section 5.8). */
@ApiTags('streams')
@ApiBearerAuth()
@Controller('ws/stream')
export class StreamController {
  constructor(
    private readonly viewers: Viewers,
    private readonly recovery: RecoveryService,
    private readonly revoked: RevocationList,
    @Inject(CONFIG) private readonly config: Config,
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

  @Post(':streamId/recover')
  @HttpCode(200)
  @ApiOperation({ summary: 'Read a page of chunks from fromSequence on; continues an interrupted answer' })
  @Responds(200, RECOVERED)
  async recover(
    @CurrentPrincipal() principal: Principal,
    @Param('streamId', StreamIdPipe) streamId: string,
    @Query() { fromSequence }: PositionQueryDto,
  ): Promise<RecoverResult & Attach> {
    const page = await this.recovery.recover(principal, {
      streamId,
      fromSequence: positionOf({ fromSequence }),
    });
    const pathAs = (format: FormatName): string =>
      `/api/ws/stream/${streamId}/${format}?fromSequence=${page.nextSequence}`;
    return { ...page, attach: { sse: pathAs('sse'), http: pathAs('http') } };
  }

  /** Creates the viewer of a response. It is cut when the token is revoked, without the data that is still on its way. */
  private viewer(response: Response, transport: FormatName, principal: Principal): Viewer {
    const viewer = new Viewer(response, { transport, heartbeatMs: this.config.STREAM_HEARTBEAT_MS });
    const user = { principal, endRevoked: () => viewer.cut() };
    this.revoked.watch(user);
    response.once('close', () => this.revoked.forget(user));
    return viewer;
  }
}

/** Issues tickets. It is here and not in `auth/` because this feature knows who may read a stream. */
@ApiTags('auth')
@ApiBearerAuth()
@Controller('auth')
export class TicketController {
  constructor(
    private readonly access: StreamAccess,
    private readonly tickets: TicketService,
  ) {}

  @Post('ticket')
  @HttpCode(200)
  // A ticket must not be cached (RFC 6750, section 5.3).
  @ApiOperation({
    summary: 'Get a ticket that reads one stream without a Bearer token, for EventSource',
  })
  @Responds(
    200,
    objectSchema<Ticket>({
      ticket: says(TEXT, 'Value of `?ticket=` on the two attach routes of this stream.'),
      expiresAt: TIME,
    }),
  )
  async issue(
    @CurrentPrincipal() principal: Principal,
    @Body() { streamId }: TicketRequestDto,
  ): Promise<Ticket> {
    await this.access.readable(principal, streamId);
    return this.tickets.issue(principal, streamId);
  }
}
