import { Module } from '@nestjs/common';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { QueueModule } from '../queue/queue.module.js';
import { PresenceModule } from '../presence/presence.module.js';
import { ConnectionsController } from '../presence/registry/connections.controller.js';
import { RegistryModule } from '../presence/registry/registry.module.js';
import { StreamingModule } from '../streaming/streaming.module.js';
import { ViewersModule } from '../streaming/viewers/viewers.module.js';
import { TypingController } from '../typing/typing.controller.js';
import { TypingModule } from '../typing/typing.module.js';
import { AsyncApiController } from './asyncapi/asyncapi.controller.js';
import { Attendance } from './connections/connection-tracker.js';
import { AuthGateway } from './events/auth.gateway.js';
import { ChatGateway } from './events/chat.gateway.js';
import { Company } from './rooms/presence-snapshot.js';
import { ConnectionMetrics } from './connections/connection-metrics.js';
import { Connections } from './connections/connections.js';
import { Deliveries } from './rooms/queue-deliveries.js';
import { Dispatcher } from './events/dispatcher.js';
import { EventMetrics } from './events/event-metrics.js';
import { Expiry } from './connections/expiry.js';
import { Farewell } from './lifecycle/connection-drainer.js';
import { HandshakeMetrics } from './connections/handshake-metrics.js';
import { HandshakeMiddleware } from './connections/handshake.js';
import { IdleTimeouts } from './engine/idle-timeouts.js';
import { JoinService } from './rooms/join.service.js';
import { Liveness } from './connections/connection-activity.js';
import { OfferMetrics } from './rooms/queue-delivery-metrics.js';
import { PresenceFanOut } from './rooms/presence-broadcast.js';
import { PresenceGateway } from './events/presence.gateway.js';
import { Rooms } from './rooms/rooms.js';
import { SlowConsumers } from './engine/slow-consumers.js';
import { SocketLifecycle } from './lifecycle/socket-lifecycle.js';
import { SocketViewers } from './rooms/socket-viewers.js';
import { TopicRooms } from './rooms/topic-rooms.js';
import { TypingAccess } from './rooms/typing-access.js';
import { StreamGateway } from './events/stream.gateway.js';
import { UserPlaces } from './connections/user-quota.js';
import { UserTopics } from './rooms/user-event-subscriptions.js';
import { Watches } from './rooms/presence-subscriptions.js';

/** The sockets. Nothing below this folder knows of them. */
@Module({
  imports: [
    ConversationsModule,
    QueueModule,
    StreamingModule,
    ViewersModule,
    PresenceModule,
    TypingModule,
    RegistryModule,
  ],
  // These ask several parts that do not know each other.
  controllers: [ConnectionsController, TypingController, AsyncApiController],
  providers: [
    ChatGateway,
    AuthGateway,
    StreamGateway,
    Expiry,
    PresenceGateway,
    Liveness,
    Attendance,
    IdleTimeouts,
    PresenceFanOut,
    Watches,
    TopicRooms,
    TypingAccess,
    Company,
    SlowConsumers,
    SocketLifecycle,
    SocketViewers,
    HandshakeMiddleware,
    Farewell,
    Connections,
    ConnectionMetrics,
    Dispatcher,
    EventMetrics,
    HandshakeMetrics,
    OfferMetrics,
    Rooms,
    Deliveries,
    UserPlaces,
    UserTopics,
    JoinService,
  ],
})
export class GatewayModule {}
