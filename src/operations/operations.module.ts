import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { EventLoopDelay } from '../platform/metrics/event-loop-delay.js';
import { PresenceModule } from '../presence/presence.module.js';
import { ProvidersModule } from '../providers/providers.module.js';
import { QueueModule } from '../queue/queue.module.js';
import { StreamingModule } from '../streaming/streaming.module.js';
import { TypingModule } from '../typing/typing.module.js';
import { DashboardController } from './dashboard/dashboard.controller.js';
import { DashboardService } from './dashboard/dashboard.service.js';
import { MetricReader } from './dashboard/metric-reader.js';
import { AnswersHealth } from './health/answers-health.js';
import { DatabaseHealthStore } from './health/database-health.store.js';
import { GatewayHealth } from './health/gateway-health.js';
import { HealthMetrics } from './health/health-metrics.js';
import { HealthController } from './health/health.controller.js';
import { ProcessHealth } from './health/process-health.js';
import { MetricsListener } from './metrics/metrics-listener.js';
import { MetricsPage } from './metrics/metrics-page.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { StatsController } from './stats/stats.controller.js';
import { StatsService } from './stats/stats.service.js';

/** What operators read: health probes, metrics for Prometheus, statistics and the dashboard. */
@Module({
  imports: [
    TerminusModule.forRoot({ logger: false }),
    ConversationsModule,
    ProvidersModule,
    QueueModule,
    PresenceModule,
    TypingModule,
    StreamingModule,
  ],
  controllers: [HealthController, StatsController, DashboardController, MetricsController],
  providers: [
    EventLoopDelay,
    ...[DatabaseHealthStore, GatewayHealth, AnswersHealth, ProcessHealth, HealthMetrics],
    ...[StatsService, DashboardService, MetricReader],
    ...[MetricsPage, MetricsListener],
  ],
})
export class OperationsModule {}
