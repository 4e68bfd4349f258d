import { Module } from '@nestjs/common';
import { NodeIdentity } from '../common/ids.js';
import { QueueModule } from '../queue/queue.module.js';
import { Announcer } from './announcer.js';
import { AppendStore, MessageMetrics } from './append.store.js';
import { ConversationsController } from './conversations.controller.js';
import { ConversationsService } from './conversations.service.js';
import { ConversationsStore } from './conversations.store.js';
import { MemberCache } from './member-cache.js';
import { MessagesService } from './messages.service.js';
import { MessagesStore } from './messages.store.js';
import { StreamSlots } from './stream-slots.js';
import { TopicsController } from './topics/topics.controller.js';

/** Conversations, their members and their messages. */
@Module({
  imports: [QueueModule],
  controllers: [ConversationsController, TopicsController],
  providers: [
    NodeIdentity,
    StreamSlots,
    MessageMetrics,
    ConversationsStore,
    MessagesStore,
    AppendStore,
    MemberCache,
    Announcer,
    ConversationsService,
    MessagesService,
  ],
  exports: [
    NodeIdentity,
    StreamSlots,
    ConversationsService,
    MessagesService,
    MessagesStore,
    ConversationsStore,
    MemberCache,
    Announcer,
  ],
})
export class ConversationsModule {}
