import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { QueueModule } from '../queue/queue.module.js';
import { StreamingModule } from '../streaming/streaming.module.js';
import { ViewersModule } from '../streaming/viewers/viewers.module.js';
import { ChatGateway } from './chat.gateway.js';
import { Connections } from './connections.js';
import { Deliveries } from './deliveries.js';
import { HandshakeMiddleware } from './handshake.js';
import { JoinService } from './join.service.js';
import { Rooms } from './rooms.js';
import { SlowConsumers } from './slow-consumers.js';
import { SocketLifecycle } from './socket-lifecycle.js';
import { SocketViewers } from './socket-viewers.js';
import { UserTopics } from './user-topics.js';

/** The sockets. Nothing below this folder knows of them. */
@Module({
  imports: [AuthModule, ConversationsModule, QueueModule, StreamingModule, ViewersModule],
  providers: [
    ChatGateway,
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
