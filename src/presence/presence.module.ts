import { Module } from '@nestjs/common';
import { Clock, SystemClock } from '../common/clock.js';
import { CONFIG, type Config } from '../platform/config/config.js';
import { SharedConversationsStore } from './shared-conversations.store.js';
import { LastSeen } from './last-seen.js';
import { LastSeenStore } from './last-seen.store.js';
import { MemoryPresenceLeases } from './leases/memory-presence-leases.js';
import { PresenceAnnouncer } from './presence-announcer.js';
import { PresenceSweeper } from './leases/presence-sweeper.js';
import { PresenceLeases } from './leases/presence-leases.js';
import { PresenceController } from './presence.controller.js';
import { PresenceService } from './presence.service.js';

function memoryLeases(config: Config, clock: Clock): PresenceLeases {
  const rules = {
    awayAfterMs: config.PRESENCE_AWAY_AFTER_MS,
    leaveGraceMs: config.PRESENCE_LEAVE_GRACE_MS,
    leaseMs: config.PRESENCE_LEASE_MS,
  };
  return new MemoryPresenceLeases(rules, clock);
}

/** Who is there. */
@Module({
  controllers: [PresenceController],
  providers: [
    { provide: Clock, useClass: SystemClock },
    { provide: PresenceLeases, useFactory: memoryLeases, inject: [CONFIG, Clock] },
    SharedConversationsStore,
    LastSeenStore,
    LastSeen,
    PresenceAnnouncer,
    PresenceService,
    PresenceSweeper,
  ],
  exports: [PresenceService, PresenceLeases, SharedConversationsStore],
})
export class PresenceModule {}
