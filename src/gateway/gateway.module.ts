import { Module } from '@nestjs/common';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { QueueModule } from '../queue/queue.module.js';
import { StreamingModule } from '../streaming/streaming.module.js';
import { ViewersModule } from '../streaming/viewers/viewers.module.js';
import { AuthGateway } from './auth.gateway.js';
import { ChatGateway } from './chat.gateway.js';
import { Connections } from './connections.js';
import { Deliveries } from './deliveries.js';
import { Expiry } from './expiry.js';
import { HandshakeMiddleware } from './handshake.js';
import { JoinService } from './join.service.js';
import { Rooms } from './rooms.js';
import { SlowConsumers } from './slow-consumers.js';
import { SocketLifecycle } from './socket-lifecycle.js';
import { SocketViewers } from './socket-viewers.js';
import { UserTopics } from './user-topics.js';

/** The sockets. Nothing below this folder knows of them. */
@Module({
  imports: [ConversationsModule, QueueModule, StreamingModule, ViewersModule],
  providers: [
    ChatGateway,
    AuthGateway,
    Expiry,
    SlowConsumers,
    SocketLifecycle,
    SocketViewers,
    HandshakeMiddleware,
    Connections,
    Rooms,
    Deliveries,
    UserTopics,
    JoinService,
  ],
})
export class GatewayModule {}
