import { UseFilters } from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
  type OnGatewayInit,
} from '@nestjs/websockets';
import type { Server, Socket } from 'socket.io';
import { Work } from '../common/work.js';
import { AckDto, ConversationDto, HistoryDto, JoinDto } from '../conversations/conversations.dto.js';
import { MessagesService } from '../conversations/messages.service.js';
import type { JoinAnswer, MessagePage, SendAnswer } from '../protocol/index.js';
import { Acknowledger } from '../queue/acknowledger.js';
import { SendDto } from '../streaming/streaming.dto.js';
import { StreamingService } from '../streaming/streaming.service.js';
import type { Connection } from './connection.js';
import { CurrentWork } from './current-work.decorator.js';
import { JoinService } from './join.service.js';
import { ReplyFilter } from './reply.filter.js';
import { SocketLifecycle } from './socket-lifecycle.js';

/** The client's events of protocol section 4, one line each: who, what, where it is done. */
@WebSocketGateway()
@UseFilters(ReplyFilter)
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

  handleDisconnect(socket: Socket): void {
    this.lifecycle.disconnected(socket.data as Connection);
  }

  @SubscribeMessage('conversation:join')
  join(@ConnectedSocket() socket: Socket, @MessageBody() payload: JoinDto): Promise<JoinAnswer> {
    return this.joining.join(socket.data as Connection, payload);
  }

  @SubscribeMessage('conversation:leave')
  leave(
    @ConnectedSocket() socket: Socket,
    @MessageBody() { conversationId }: ConversationDto,
  ): Promise<void> {
    return this.joining.leave(socket.data as Connection, conversationId);
  }

  @SubscribeMessage('message:send')
  send(
    @ConnectedSocket() socket: Socket,
    @MessageBody() payload: SendDto,
    @CurrentWork() work: Work,
  ): Promise<SendAnswer> {
    const { principal, id } = socket.data as Connection;
    return this.streaming.send(principal, payload, { transport: 'websocket', origin: id, work });
  }

  @SubscribeMessage('message:ack')
  async ack(
    @ConnectedSocket() socket: Socket,
    @MessageBody() { conversationId, seq, read }: AckDto,
  ): Promise<void> {
    const { userId } = socket.data as Connection;
    await this.acknowledger.ack({ userId, conversationId, deliveredSeq: seq, readSeq: read ? seq : 0 });
  }

  @SubscribeMessage('message:history')
  history(@ConnectedSocket() socket: Socket, @MessageBody() payload: HistoryDto): Promise<MessagePage> {
    return this.messages.history((socket.data as Connection).principal, payload);
  }

  @SubscribeMessage('ping')
  ping(@MessageBody() echo: unknown): { serverTime: string; echo: unknown } {
    return { serverTime: new Date().toISOString(), echo: echo ?? null };
  }
}
