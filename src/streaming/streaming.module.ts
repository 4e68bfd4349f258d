import { Module } from '@nestjs/common';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { ProvidersModule } from '../providers/providers.module.js';
import { ChunkLogStore } from './chunk-log.store.js';
import { MessagesController } from './messages.controller.js';
import { PromptBuilder } from './prompt.js';
import { StreamEnder } from './stream-ender.js';
import { StreamMetrics } from './stream-metrics.js';
import { StreamRunners } from './stream-runners.js';
import { StreamingService } from './streaming.service.js';
import { StreamsStore } from './streams.store.js';

/** AI responses: produced, logged, controlled. */
@Module({
  imports: [ConversationsModule, ProvidersModule],
  controllers: [MessagesController],
  providers: [
    ChunkLogStore,
    StreamsStore,
    PromptBuilder,
    StreamEnder,
    StreamMetrics,
    StreamRunners,
    StreamingService,
  ],
  exports: [StreamingService, StreamsStore, ChunkLogStore, StreamMetrics],
})
export class StreamingModule {}
