import { Injectable } from '@nestjs/common';
import { RefreshDto } from '../../auth/auth.dto.js';
import { AckDto, ConversationDto, HistoryDto, JoinDto } from '../../conversations/conversations.dto.js';
import { MessagesService } from '../../conversations/messages.service.js';
import type { RequestContext } from '../../platform/tracing/request-context.js';
import type { MessagePage, RefreshResult, SendResult } from '../../protocol/index.js';
import { Acknowledger } from '../../queue/acknowledger.js';
import { SendDto } from '../../streaming/streaming.dto.js';
import { StreamingService } from '../../streaming/streaming.service.js';
import type { Connection } from '../connections/connection.js';
import { Expiry } from '../connections/expiry.js';
import { JoinService } from '../rooms/join.service.js';
import type { SharingJoinResult } from '../rooms/join-snapshot.js';
import { OnClientEvent } from './event-handlers.js';

/** The client's events about conversations and messages, and about its connection itself (protocol section 4.2). */
@Injectable()
export class ChatGateway {
  constructor(
    private readonly expiry: Expiry,
    private readonly joining: JoinService,
    private readonly messages: MessagesService,
    private readonly streaming: StreamingService,
    private readonly acknowledger: Acknowledger,
  ) {}

  @OnClientEvent('conversation:join', JoinDto)
  join(payload: JoinDto, connection: Connection): Promise<SharingJoinResult> {
    return this.joining.join(connection, payload);
  }

  @OnClientEvent('conversation:leave', ConversationDto)
  leave({ conversationId }: ConversationDto, connection: Connection): Promise<void> {
    return this.joining.leave(connection, conversationId);
  }

  @OnClientEvent('message:send', SendDto)
  send(payload: SendDto, { principal, id }: Connection, context: RequestContext): Promise<SendResult> {
    return this.streaming.send(principal, payload, { transport: 'websocket', origin: id, context });
  }

  @OnClientEvent('message:ack', AckDto)
  async ack({ conversationId, seq, read }: AckDto, { userId }: Connection): Promise<void> {
    await this.acknowledger.ack({ userId, conversationId, deliveredSeq: seq, readSeq: read ? seq : 0 });
  }

  @OnClientEvent('message:history', HistoryDto)
  history(payload: HistoryDto, { principal }: Connection): Promise<MessagePage> {
    return this.messages.history(principal, payload);
  }

  @OnClientEvent('auth:refresh', RefreshDto)
  refresh({ token }: RefreshDto, connection: Connection): Promise<RefreshResult> {
    return this.expiry.refresh(connection, token);
  }

  @OnClientEvent('ping', null)
  ping(echo: unknown): { serverTime: string; echo: unknown } {
    return { serverTime: new Date().toISOString(), echo: echo ?? null };
  }
}
