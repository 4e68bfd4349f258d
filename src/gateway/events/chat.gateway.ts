import { UseFilters } from '@nestjs/common';
import {
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
  type OnGatewayInit,
} from '@nestjs/websockets';
import type { Server, Socket } from 'socket.io';
import { RequestContext } from '../../platform/tracing/request-context.js';
import { AckDto, ConversationDto, HistoryDto, JoinDto } from '../../conversations/conversations.dto.js';
import { MessagesService } from '../../conversations/messages.service.js';
import type { MessagePage, SendResult } from '../../protocol/index.js';
import { Acknowledger } from '../../queue/acknowledger.js';
import { SendDto } from '../../streaming/streaming.dto.js';
import { StreamingService } from '../../streaming/streaming.service.js';
import type { Connection } from '../connections/connection.js';
import { CurrentConnection } from './current-connection.decorator.js';
import { CurrentContext } from './current-request-context.decorator.js';
import { JoinService } from '../rooms/join.service.js';
import type { SharingJoinResult } from '../rooms/join-snapshot.js';
import { AckFilter } from './ack.filter.js';
import { SocketLifecycle } from '../lifecycle/socket-lifecycle.js';

/** The client's events of protocol section 4, one line each: who, what, where it is done. */
@WebSocketGateway()
@UseFilters(AckFilter)
export class ChatGateway
  implements OnGatewayInit<Server>, OnGatewayConnection<Socket>, OnGatewayDisconnect<Socket>
{
  constructor(
    private readonly lifecycle: SocketLifecycle,
    private readonly joining: JoinService,
    private readonly messages: MessagesService,
    private readonly streaming: StreamingService,
    private readonly acknowledger: Acknowledger,
  ) {}

  afterInit(server: Server): void {
    this.lifecycle.attach(server);
  }

  handleConnection(socket: Socket): void {
    this.lifecycle.connected(socket.data as Connection);
  }

  handleDisconnect(socket: Socket, reason: string): void {
    this.lifecycle.disconnected(socket.data as Connection, reason);
  }

  @SubscribeMessage('conversation:join')
  join(
    @CurrentConnection() connection: Connection,
    @MessageBody() payload: JoinDto,
  ): Promise<SharingJoinResult> {
    return this.joining.join(connection, payload);
  }

  @SubscribeMessage('conversation:leave')
  leave(
    @CurrentConnection() connection: Connection,
    @MessageBody() { conversationId }: ConversationDto,
  ): Promise<void> {
    return this.joining.leave(connection, conversationId);
  }

  @SubscribeMessage('message:send')
  send(
    @CurrentConnection() { principal, id }: Connection,
    @MessageBody() payload: SendDto,
    @CurrentContext() context: RequestContext,
  ): Promise<SendResult> {
    return this.streaming.send(principal, payload, { transport: 'websocket', origin: id, context: context });
  }

  @SubscribeMessage('message:ack')
  async ack(
    @CurrentConnection() { userId }: Connection,
    @MessageBody() { conversationId, seq, read }: AckDto,
  ): Promise<void> {
    await this.acknowledger.ack({ userId, conversationId, deliveredSeq: seq, readSeq: read ? seq : 0 });
  }

  @SubscribeMessage('message:history')
  history(
    @CurrentConnection() { principal }: Connection,
    @MessageBody() payload: HistoryDto,
  ): Promise<MessagePage> {
    return this.messages.history(principal, payload);
  }

  @SubscribeMessage('ping')
  ping(@MessageBody() echo: unknown): { serverTime: string; echo: unknown } {
    return { serverTime: new Date().toISOString(), echo: echo ?? null };
  }
}
