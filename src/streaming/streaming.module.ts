import { AnswerRequests } from './answer-requests.js';
import { Module } from '@nestjs/common';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { ProvidersModule } from '../providers/providers.module.js';
import { ChunkLogStore } from './chunk-log.store.js';
import { MessagesController } from './messages.controller.js';
import { ChunkJanitor } from './chunk-janitor.js';
import { NodeLease } from './node-lease.js';
import { NodesStore } from './nodes.store.js';
import { RetentionStore } from './retention.store.js';
import { RunnerTools } from './runner-tools.js';
import { StreamAccess } from './stream-access.js';
import { StreamClaims } from './stream-claims.js';
import { StreamControlStore } from './stream-control.store.js';
import { StreamControls } from './stream-controls.js';
import { PromptsStore } from './prompts.store.js';
import { StreamEnder } from './stream-ender.js';
import { StreamMetrics } from './stream-metrics.js';
import { StreamRunners } from './stream-runners.js';
import { StreamingService } from './streaming.service.js';
import { SnapshotsStore } from './snapshots.store.js';
import { StreamsStore } from './streams.store.js';

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
