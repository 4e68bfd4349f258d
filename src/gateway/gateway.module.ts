import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Server } from 'socket.io';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { CONFIG } from '../platform/config/config.js';
import { PresenceModule } from '../presence/presence.module.js';
import { QueueModule } from '../queue/queue.module.js';
import { StreamingModule } from '../streaming/streaming.module.js';
import { TypingModule } from '../typing/typing.module.js';
import { AsyncApiController } from './asyncapi/asyncapi.controller.js';
import { ConnectionActivity } from './connections/connection-activity.js';
import { ConnectionMetrics } from './connections/connection-metrics.js';
import { CONNECTION_OBSERVERS, type ConnectionObserver } from './connections/connection-observer.js';
import { ConnectionTracker } from './connections/connection-tracker.js';
import { Connections } from './connections/connections.js';
import { Expiry } from './connections/expiry.js';
import { HandshakeMiddleware } from './connections/handshake.js';
import { UserQuota } from './connections/user-quota.js';
import { AdmissionChecks } from './engine/admission.js';
import { IdleTimeouts } from './engine/idle-timeouts.js';
import { SlowConsumers } from './engine/slow-consumers.js';
import { createSocketServer, SocketServer } from './engine/socket-server.js';
import { ChatGateway } from './events/chat.gateway.js';
import { Dispatcher } from './events/dispatcher.js';
import { EventHandlers } from './events/event-handlers.js';
import { EventMetrics } from './events/event-metrics.js';
import { PresenceGateway } from './events/presence.gateway.js';
import { StreamGateway } from './events/stream.gateway.js';
import { ConnectionDrainer } from './lifecycle/connection-drainer.js';
import { SocketLifecycle } from './lifecycle/socket-lifecycle.js';
import { ConnectionTyping } from './rooms/connection-typing.js';
import { JoinService } from './rooms/join.service.js';
import { JoinSnapshot } from './rooms/join-snapshot.js';
import { PresenceBroadcast } from './rooms/presence-broadcast.js';
import { PresenceSubscriptions } from './rooms/presence-subscriptions.js';
import { QueueDeliveryService } from './rooms/queue-delivery.service.js';
import { RoomEvents } from './rooms/room-events.js';
import { DatabaseRoomSource } from './rooms/room-source.js';
import { Rooms } from './rooms/rooms.js';
import { TopicRooms } from './rooms/topic-rooms.js';
import { UserEventSubscriptions } from './rooms/user-event-subscriptions.js';

/**
 * Notified of each connection in this order. `Connections` comes first: others look connections up there. `Rooms` comes
 * before the tracker: a connection leaves its rooms before it leaves the registry. `Expiry` comes last: it closes a
 * connection at once whose token was revoked during the handshake.
 */
const OBSERVERS = [
  Connections,
  SlowConsumers,
  Dispatcher,
  UserEventSubscriptions,
  QueueDeliveryService,
  Rooms,
  TopicRooms,
  PresenceSubscriptions,
  ConnectionTyping,
  ConnectionTracker,
  IdleTimeouts,
  ConnectionMetrics,
  Expiry,
];

/** Everything that uses sockets; no other folder does. The order of the providers carries nothing. */
@Module({
  imports: [DiscoveryModule, ConversationsModule, QueueModule, StreamingModule, PresenceModule, TypingModule],
  controllers: [AsyncApiController],
  providers: [
    { provide: Server, useFactory: createSocketServer, inject: [CONFIG] },
    {
      provide: CONNECTION_OBSERVERS,
      useFactory: (...observers: ConnectionObserver[]) => observers,
      inject: OBSERVERS,
    },
    ...OBSERVERS,
    SocketServer,
    SocketLifecycle,
    ConnectionDrainer,
    AdmissionChecks,
    HandshakeMiddleware,
    UserQuota,
    EventHandlers,
    EventMetrics,
    ChatGateway,
    PresenceGateway,
    StreamGateway,
    ConnectionActivity,
    RoomEvents,
    DatabaseRoomSource,
    JoinService,
    JoinSnapshot,
    PresenceBroadcast,
  ],
})
export class GatewayModule {}
