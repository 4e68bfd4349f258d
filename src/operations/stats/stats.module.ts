import { Module } from '@nestjs/common';
import { ConversationsModule } from '../../conversations/conversations.module.js';
import { PresenceModule } from '../../presence/presence.module.js';
import { TypingModule } from '../../typing/typing.module.js';
import { DashboardController } from '../dashboard/dashboard.controller.js';
import { DashboardService } from '../dashboard/dashboard.service.js';
import { EventLoopDelay } from '../../platform/metrics/event-loop-delay.js';
import { MetricReader } from '../dashboard/metric-reader.js';
import { QueueModule } from '../../queue/queue.module.js';
import { StatsController } from './stats.controller.js';
import { StatsService } from './stats.service.js';

/** Statistics for the operator. */
@Module({
  imports: [ConversationsModule, QueueModule, PresenceModule, TypingModule],
  controllers: [StatsController, DashboardController],
  providers: [StatsService, DashboardService, EventLoopDelay, MetricReader],
})
export class StatsModule {}
