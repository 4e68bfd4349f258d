import { Module } from '@nestjs/common';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { QueueModule } from '../queue/queue.module.js';
import { PresenceModule } from '../presence/presence.module.js';
import { ConnectionsController } from '../registry/connections.controller.js';
import { RegistryModule } from '../registry/registry.module.js';
import { StreamingModule } from '../streaming/streaming.module.js';
import { ViewersModule } from '../streaming/viewers/viewers.module.js';
import { TypingController } from '../typing/typing.controller.js';
import { TypingModule } from '../typing/typing.module.js';
import { AsyncApiController } from './asyncapi/asyncapi.controller.js';
import { Attendance } from './attendance.js';
import { AuthGateway } from './auth.gateway.js';
import { ChatGateway } from './chat.gateway.js';
import { Company } from './company.js';
import { ConnectionMetrics } from './connection-metrics.js';
import { Connections } from './connections.js';
import { Deliveries } from './deliveries.js';
import { Dispatcher } from './dispatcher.js';
import { EventMetrics } from './event-metrics.js';
import { Expiry } from './expiry.js';
import { Farewell } from './farewell.js';
import { HandshakeMetrics } from './handshake-metrics.js';
import { HandshakeMiddleware } from './handshake.js';
import { IdleTimeouts } from './idle-timeouts.js';
import { JoinService } from './join.service.js';
import { Liveness } from './liveness.js';
import { OfferMetrics } from './offer-metrics.js';
import { PresenceFanOut } from './presence-fanout.js';
import { PresenceGateway } from './presence.gateway.js';
import { Rooms } from './rooms.js';
import { SlowConsumers } from './slow-consumers.js';
import { SocketLifecycle } from './socket-lifecycle.js';
import { SocketViewers } from './socket-viewers.js';
import { TopicRooms } from './topic-rooms.js';
import { TypingAccess } from './typing-access.js';
import { StreamGateway } from './stream.gateway.js';
import { UserPlaces } from './user-places.js';
import { UserTopics } from './user-topics.js';
import { Watches } from './watches.js';

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
