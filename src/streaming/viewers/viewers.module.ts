import { Module } from '@nestjs/common';
import { RunningStreamsStore } from '../log/running-streams.store.js';
import { StreamAdminController } from './stream-admin.controller.js';
import { StreamController } from './stream.controller.js';
import { StreamingModule } from '../streaming.module.js';
import { TicketController } from './ticket.controller.js';
import { RecoveryService } from './recovery.service.js';
import { StreamReader } from './stream-reader.js';
import { ViewerQuota } from './viewer-quota.js';
import { Viewers } from './viewers.js';

/** AI responses, read: over SSE and NDJSON, and in pages. */
@Module({
  imports: [StreamingModule],
  controllers: [StreamController, StreamAdminController, TicketController],
  providers: [StreamReader, RecoveryService, RunningStreamsStore, ViewerQuota, Viewers],
  exports: [RecoveryService],
})
export class ViewersModule {}
