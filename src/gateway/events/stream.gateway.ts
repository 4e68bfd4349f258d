import { UseFilters } from '@nestjs/common';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { ControlResult, RecoverResult } from '../../protocol/index.js';
import { StreamControls } from '../../streaming/control/stream-controls.js';
import { RecoverDto, StreamDto } from '../../streaming/streaming.dto.js';
import { RecoveryService } from '../../streaming/viewers/recovery.service.js';
import type { Connection } from '../connections/connection.js';
import { CurrentConnection } from './current-connection.decorator.js';
import { AckFilter } from './ack.filter.js';

/** The client's events about answers (protocol section 4.2), one line each. */
@WebSocketGateway()
@UseFilters(AckFilter)
export class StreamGateway {
  constructor(
    private readonly controls: StreamControls,
    private readonly recovery: RecoveryService,
  ) {}

  @SubscribeMessage('stream:pause')
  pause(
    @CurrentConnection() { principal }: Connection,
    @MessageBody() { streamId }: StreamDto,
  ): Promise<ControlResult> {
    return this.controls.pause(principal, streamId);
  }

  @SubscribeMessage('stream:resume')
  resume(
    @CurrentConnection() { principal }: Connection,
    @MessageBody() { streamId }: StreamDto,
  ): Promise<ControlResult> {
    return this.controls.resume(principal, streamId);
  }

  @SubscribeMessage('stream:cancel')
  cancel(
    @CurrentConnection() { principal }: Connection,
    @MessageBody() { streamId }: StreamDto,
  ): Promise<ControlResult> {
    return this.controls.cancel(principal, streamId);
  }

  @SubscribeMessage('stream:recover')
  recover(
    @CurrentConnection() { principal }: Connection,
    @MessageBody() payload: RecoverDto,
  ): Promise<RecoverResult> {
    return this.recovery.recover(principal, payload);
  }
}
