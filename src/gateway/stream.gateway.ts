import { UseFilters } from '@nestjs/common';
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import type { ControlAnswer, RecoverAnswer } from '../protocol/index.js';
import { RecoverDto } from '../streaming/stream.dto.js';
import { StreamDto } from '../streaming/streaming.dto.js';
import { StreamingService } from '../streaming/streaming.service.js';
import { RecoveryService } from '../streaming/viewers/recovery.service.js';
import type { Connection } from './connection.js';
import { ReplyFilter } from './reply.filter.js';

/** The client's events about answers (protocol section 4.2), one line each. */
@WebSocketGateway()
@UseFilters(ReplyFilter)
export class StreamGateway {
  constructor(
    private readonly streaming: StreamingService,
    private readonly recovery: RecoveryService,
  ) {}

  @SubscribeMessage('stream:pause')
  pause(@ConnectedSocket() socket: Socket, @MessageBody() { streamId }: StreamDto): Promise<ControlAnswer> {
    return this.streaming.pause((socket.data as Connection).principal, streamId);
  }

  @SubscribeMessage('stream:resume')
  resume(@ConnectedSocket() socket: Socket, @MessageBody() { streamId }: StreamDto): Promise<ControlAnswer> {
    return this.streaming.resume((socket.data as Connection).principal, streamId);
  }

  @SubscribeMessage('stream:cancel')
  cancel(@ConnectedSocket() socket: Socket, @MessageBody() { streamId }: StreamDto): Promise<ControlAnswer> {
    return this.streaming.cancel((socket.data as Connection).principal, streamId);
  }

  @SubscribeMessage('stream:recover')
  recover(@ConnectedSocket() socket: Socket, @MessageBody() payload: RecoverDto): Promise<RecoverAnswer> {
    return this.recovery.recover((socket.data as Connection).principal, payload);
  }
}
