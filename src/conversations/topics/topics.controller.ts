import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal } from '../../auth/decorators.js';
import { authorize } from '../../auth/policy.js';
import type { Principal } from '../../auth/principal.js';
import { Responds } from '../../platform/http/responses.decorator.js';
import { TopicPipe } from '../../platform/http/id.pipes.js';
import { objectSchema } from '../../protocol/schemas/schema.js';
import { SystemMessageDto } from '../../queue/queue.dto.js';
import { Relay } from '../../platform/relay/relay.js';

interface Published {
  published: true;
}

@ApiTags('topics')
@ApiBearerAuth()
@Controller('ws/topics')
export class TopicsController {
  constructor(private readonly relay: Relay) {}

  @Post(':topic/messages')
  @HttpCode(200)
  @ApiOperation({ summary: 'Send a system message to the connected subscribers of a topic; admins only' })
  @Responds(200, objectSchema<Published>({ published: { const: true } }))
  publish(
    @CurrentPrincipal() principal: Principal,
    @Param('topic', TopicPipe) topic: string,
    @Body() { content, metadata }: SystemMessageDto,
  ): Published {
    authorize(principal, 'system:send');
    const createdAt = new Date().toISOString();
    this.relay.publish('topic', topic, { topic, content, ...(metadata && { metadata }), createdAt });
    return { published: true };
  }
}
