import { Module } from '@nestjs/common';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { PresenceModule } from '../presence/presence.module.js';
import { RegistryModule } from '../registry/registry.module.js';
import { TypingModule } from '../typing/typing.module.js';
import { QueueFiguresStore } from './queue-figures.store.js';
import { StatsController } from './stats.controller.js';
import { StatsService } from './stats.service.js';

/** Figures for the operator. */
@Module({
  imports: [ConversationsModule, PresenceModule, RegistryModule, TypingModule],
  controllers: [StatsController],
  providers: [QueueFiguresStore, StatsService],
})
export class StatsModule {}
