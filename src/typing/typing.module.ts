import { Module } from '@nestjs/common';
import { Clock, SystemClock } from '../common/clock.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { CONFIG, type Config } from '../platform/config/config.js';
import { MemoryTypingIndicators } from './memory-typing-indicators.js';
import { TypingIndicators } from './typing-indicators.js';
import { TypingController } from './typing.controller.js';
import { TypingService } from './typing.service.js';

/** Typing indicators. */
@Module({
  imports: [ConversationsModule],
  controllers: [TypingController],
  providers: [
    { provide: Clock, useClass: SystemClock },
    {
      provide: TypingIndicators,
      useFactory: (config: Config, clock: Clock) =>
        new MemoryTypingIndicators(config.TYPING_TIMEOUT_MS, clock),
      inject: [CONFIG, Clock],
    },
    TypingService,
  ],
  exports: [TypingService, TypingIndicators],
})
export class TypingModule {}
