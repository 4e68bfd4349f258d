import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ConversationsModule } from '../../conversations/conversations.module.js';
import { ProvidersModule } from '../../providers/providers.module.js';
import { PresenceModule } from '../../presence/presence.module.js';
import { StreamingModule } from '../../streaming/streaming.module.js';
import { AnswersHealth } from './answers-health.js';
import { DatabaseHealthStore } from './database-health.store.js';
import { GatewayHealth } from './gateway-health.js';
import { HealthMetrics } from './health-metrics.js';
import { HealthController } from './health.controller.js';
import { EventLoopDelay } from '../../platform/metrics/event-loop-delay.js';
import { ProcessHealth } from './process-health.js';

/** Health probes. */
@Module({
  imports: [
    TerminusModule.forRoot({ logger: false }),
    ConversationsModule,
    ProvidersModule,
    PresenceModule,
    StreamingModule,
  ],
  controllers: [HealthController],
  providers: [
    DatabaseHealthStore,
    GatewayHealth,
    AnswersHealth,
    ProcessHealth,
    EventLoopDelay,
    HealthMetrics,
  ],
})
export class HealthModule {}
