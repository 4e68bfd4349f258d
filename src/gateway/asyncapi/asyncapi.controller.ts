import { Controller, Get, Req } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { Public } from '../../auth/decorators.js';
import { Responds } from '../../platform/http/responses.decorator.js';
import { FREE } from '../../protocol/schemas/schema.js';
import { describeEvents } from './document.js';

/** Serves the description of the Socket.IO events, as Swagger does for the HTTP routes. */
@ApiTags('operations')
@Public()
@Controller('asyncapi-json')
export class AsyncApiController {
  @Get()
  @ApiOperation({ summary: 'Get the Socket.IO events as an AsyncAPI 3.0 document' })
  @Responds(200, FREE)
  read(@Req() request: Request): object {
    return describeEvents(request.get('host') ?? 'localhost', request.secure);
  }
}
