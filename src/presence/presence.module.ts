import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Clock, SystemClock } from '../common/clock.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { CONFIG, type Config } from '../platform/config/config.js';
import { LastSeen } from './last-seen.js';
import { LastSeenStore } from './last-seen.store.js';
import { MemoryPresenceLeases } from './leases/memory-presence-leases.js';
import { PresenceLeases } from './leases/presence-leases.js';
import { PresenceAnnouncer } from './presence-announcer.js';
import { PresenceController } from './presence.controller.js';
import { PresenceService } from './presence.service.js';
import { ConnectionRegistry } from './registry/connection-registry.js';
import { ConnectionsController } from './registry/connections.controller.js';
import { MemoryConnectionRegistry } from './registry/memory-connection-registry.js';
import { SharedConversationsStore } from './shared-conversations.store.js';
import { UserEntity } from './user.entity.js';

function memoryLeases(config: Config, clock: Clock): PresenceLeases {
  const rules = {
    awayAfterMs: config.PRESENCE_AWAY_AFTER_MS,
    leaveGraceMs: config.PRESENCE_LEAVE_GRACE_MS,
    leaseMs: config.PRESENCE_LEASE_MS,
  };
  return new MemoryPresenceLeases(rules, clock);
}

function memoryRegistry(config: Config, clock: Clock): ConnectionRegistry {
  return new MemoryConnectionRegistry(config.PRESENCE_LEASE_MS, clock);
}

/** Presence of users, and the registry of connections. */
@Module({
  imports: [ConversationsModule, TypeOrmModule.forFeature([UserEntity])],
  controllers: [PresenceController, ConnectionsController],
  providers: [
    { provide: Clock, useClass: SystemClock },
    { provide: PresenceLeases, useFactory: memoryLeases, inject: [CONFIG, Clock] },
    { provide: ConnectionRegistry, useFactory: memoryRegistry, inject: [CONFIG, Clock] },
    SharedConversationsStore,
    LastSeenStore,
    LastSeen,
    PresenceAnnouncer,
    PresenceService,
  ],
  exports: [PresenceService, PresenceLeases, ConnectionRegistry, SharedConversationsStore],
})
export class PresenceModule {}
