import { Module } from '@nestjs/common';
import { TopicsController } from './topics.controller.js';

/** System messages to whoever subscribed to a topic. */
@Module({ controllers: [TopicsController] })
export class TopicsModule {}
