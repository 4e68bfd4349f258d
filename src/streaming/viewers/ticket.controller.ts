import { Body, Controller, Header, HttpCode, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal } from '../../auth/decorators.js';
import type { Principal } from '../../auth/principal.js';
import { TicketRequestDto } from '../../auth/auth.dto.js';
import { TicketService, type Ticket } from '../../auth/tokens/ticket.service.js';
import { Responds } from '../../platform/http/responses.decorator.js';
import { says, objectSchema, TEXT, TIME } from '../../protocol/schemas/schema.js';
import { StreamingService } from '../streaming.service.js';

/** Here and not in `auth/`: whether a stream may be read is known here. */
@ApiTags('auth')
@ApiBearerAuth()
@Controller('auth')
export class TicketController {
  constructor(
    private readonly streaming: StreamingService,
    private readonly tickets: TicketService,
  ) {}

  @Post('ticket')
  @HttpCode(200)
  // A ticket must not stay in a cache (RFC 6750, 5.3).
  @Header('Cache-Control', 'no-store')
  @ApiOperation({
    summary: 'A ticket to read one stream without a Bearer, as EventSource has to; for who may read it',
  })
  @Responds(
    200,
    objectSchema<Ticket>({
      ticket: says(TEXT, 'For `?ticket=` on this stream’s two attach routes.'),
      expiresAt: TIME,
    }),
  )
  async issue(
    @CurrentPrincipal() principal: Principal,
    @Body() { streamId }: TicketRequestDto,
  ): Promise<Ticket> {
    await this.streaming.readable(principal, streamId);
    return this.tickets.issue(principal, streamId);
  }
}
