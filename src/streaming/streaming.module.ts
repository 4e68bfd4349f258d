import { Module } from '@nestjs/common';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { ProvidersModule } from '../providers/providers.module.js';
import { StreamAdminController, StreamControlController } from './control/stream-control.controller.js';
import { StreamControls } from './control/stream-controls.js';
import { ChunkJanitor } from './log/chunk-janitor.js';
import { ChunkLogStore } from './log/chunk-log.store.js';
import { SnapshotsStore } from './log/snapshots.store.js';
import { StreamsStore } from './log/streams.store.js';
import { MessagesController } from './messages.controller.js';
import { StreamMetrics } from './metrics/stream-metrics.js';
import { NodeLease } from './ownership/node-lease.js';
import { NodesStore } from './ownership/nodes.store.js';
import { StreamClaims } from './ownership/stream-claims.js';
import { PromptsStore } from './production/prompts.store.js';
import { StreamEnder } from './production/stream-ender.js';
import { RunnerServices } from './production/stream-runner.js';
import { StreamRunners } from './production/stream-runners.js';
import { StreamAccess } from './stream-access.js';
import { StreamingService } from './streaming.service.js';
import { RecoveryService } from './viewers/recovery.service.js';
import { StreamReader } from './viewers/stream-reader.js';
import { StreamController, TicketController } from './viewers/stream.controller.js';
import { ViewerQuota, Viewers } from './viewers/viewers.js';

/** AI answers: produced, logged, controlled, and read over SSE, NDJSON and in pages. */
@Module({
  imports: [ConversationsModule, ProvidersModule],
  controllers: [
    MessagesController,
    StreamController,
    StreamControlController,
    StreamAdminController,
    TicketController,
  ],
  providers: [
    ...[ChunkLogStore, StreamsStore, SnapshotsStore, ChunkJanitor, StreamMetrics],
    ...[RunnerServices, StreamRunners, StreamEnder, PromptsStore],
    ...[NodesStore, StreamClaims, NodeLease],
    ...[StreamAccess, StreamControls, StreamingService],
    ...[StreamReader, RecoveryService, ViewerQuota, Viewers],
  ],
  exports: [NodeLease, RecoveryService, SnapshotsStore, StreamControls, StreamingService, StreamMetrics],
})
export class StreamingModule {}
