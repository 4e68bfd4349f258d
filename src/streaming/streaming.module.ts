import { AnswerRequests } from './production/answer-requests.js';
import { Module } from '@nestjs/common';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { ProvidersModule } from '../providers/providers.module.js';
import { ChunkLogStore } from './log/chunk-log.store.js';
import { MessagesController } from './messages.controller.js';
import { ChunkJanitor } from './log/chunk-janitor.js';
import { NodeLease } from './ownership/node-lease.js';
import { NodesStore } from './ownership/nodes.store.js';
import { RetentionStore } from './log/retention.store.js';
import { RunnerTools } from './production/runner-tools.js';
import { StreamAccess } from './stream-access.js';
import { StreamClaims } from './ownership/stream-claims.js';
import { StreamControlStore } from './control/stream-control.store.js';
import { StreamControls } from './control/stream-controls.js';
import { PromptsStore } from './production/prompts.store.js';
import { StreamEnder } from './production/stream-ender.js';
import { StreamMetrics } from './metrics/stream-metrics.js';
import { StreamRunners } from './production/stream-runners.js';
import { StreamingService } from './streaming.service.js';
import { SnapshotsStore } from './log/snapshots.store.js';
import { StreamsStore } from './log/streams.store.js';

/** AI responses: produced, logged, controlled. */
@Module({
  imports: [ConversationsModule, ProvidersModule],
  controllers: [MessagesController],
  providers: [
    ChunkLogStore,
    ChunkJanitor,
    StreamsStore,
    SnapshotsStore,
    PromptsStore,
    RunnerTools,
    RetentionStore,
    NodeLease,
    NodesStore,
    StreamEnder,
    StreamControls,
    StreamControlStore,
    StreamClaims,
    StreamAccess,
    StreamMetrics,
    StreamRunners,
    AnswerRequests,
    StreamingService,
  ],
  exports: [
    NodeLease,
    StreamingService,
    SnapshotsStore,
    StreamRunners,
    StreamAccess,
    ChunkLogStore,
    StreamMetrics,
  ],
})
export class StreamingModule {}
