import { Module } from '@nestjs/common';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { QueueModule } from '../queue/queue.module.js';
import { PresenceModule } from '../presence/presence.module.js';
import { StreamingModule } from '../streaming/streaming.module.js';
import { TypingModule } from '../typing/typing.module.js';
import { AsyncApiController } from './asyncapi/asyncapi.controller.js';
import { ConnectionTracker } from './connections/connection-tracker.js';
import { AuthGateway } from './events/auth.gateway.js';
import { ChatGateway } from './events/chat.gateway.js';
import { JoinSnapshot } from './rooms/join-snapshot.js';
import { ConnectionMetrics } from './connections/connection-metrics.js';
import { Connections } from './connections/connections.js';
import { QueueDeliveryService } from './rooms/queue-delivery.service.js';
import { Dispatcher } from './events/dispatcher.js';
import { EventMetrics } from './events/event-metrics.js';
import { Expiry } from './connections/expiry.js';
import { ConnectionDrainer } from './lifecycle/connection-drainer.js';
import { HandshakeMetrics } from './connections/handshake-metrics.js';
import { HandshakeMiddleware } from './connections/handshake.js';
import { IdleTimeouts } from './engine/idle-timeouts.js';
import { JoinService } from './rooms/join.service.js';
import { ConnectionActivity } from './connections/connection-activity.js';
import { PresenceBroadcast } from './rooms/presence-broadcast.js';
import { PresenceGateway } from './events/presence.gateway.js';
import { RoomEvents } from './rooms/room-events.js';
import { DatabaseRoomSource } from './rooms/room-source.js';
import { Rooms } from './rooms/rooms.js';
import { SlowConsumers } from './engine/slow-consumers.js';
import { SocketLifecycle } from './lifecycle/socket-lifecycle.js';
import { TopicRooms } from './rooms/topic-rooms.js';
import { ConnectionTyping } from './rooms/connection-typing.js';
import { StreamGateway } from './events/stream.gateway.js';
import { UserQuota } from './connections/user-quota.js';
import { UserEventSubscriptions } from './rooms/user-event-subscriptions.js';
import { PresenceSubscriptions } from './rooms/presence-subscriptions.js';

/** Everything that uses sockets; no other folder does. */
@Module({
  imports: [ConversationsModule, QueueModule, StreamingModule, PresenceModule, TypingModule],
  controllers: [AsyncApiController],
  providers: [
    ChatGateway,
    AuthGateway,
    StreamGateway,
    Expiry,
    PresenceGateway,
    ConnectionActivity,
    ConnectionTracker,
    IdleTimeouts,
    PresenceBroadcast,
    PresenceSubscriptions,
    TopicRooms,
    ConnectionTyping,
    JoinSnapshot,
    SlowConsumers,
    SocketLifecycle,
    HandshakeMiddleware,
    ConnectionDrainer,
    Connections,
    ConnectionMetrics,
    Dispatcher,
    EventMetrics,
    HandshakeMetrics,
    RoomEvents,
    DatabaseRoomSource,
    Rooms,
    QueueDeliveryService,
    UserQuota,
    UserEventSubscriptions,
    JoinService,
  ],
})
export class GatewayModule {}
