import { UseFilters } from '@nestjs/common';
import {
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
} from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import { RefreshDto } from '../../auth/auth.dto.js';
import type { RefreshResult } from '../../protocol/index.js';
import type { Connection } from '../connections/connection.js';
import { CurrentConnection } from './current-connection.decorator.js';
import { Expiry } from '../connections/expiry.js';
import { AckFilter } from './ack.filter.js';

/** Whose a connection is, for as long as it lives (protocol section 4.2). */
@WebSocketGateway()
@UseFilters(AckFilter)
export class AuthGateway implements OnGatewayConnection<Socket>, OnGatewayDisconnect<Socket> {
  constructor(private readonly expiry: Expiry) {}

  handleConnection(socket: Socket): void {
    this.expiry.watch(socket.data as Connection);
  }

  handleDisconnect(socket: Socket): void {
    this.expiry.forget(socket.data as Connection);
  }

  @SubscribeMessage('auth:refresh')
  refresh(
    @CurrentConnection() connection: Connection,
    @MessageBody() { token }: RefreshDto,
  ): Promise<RefreshResult> {
    return this.expiry.refresh(connection, token);
  }
}
