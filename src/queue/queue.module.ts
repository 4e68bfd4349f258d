import { Module } from '@nestjs/common';
import { AckStore } from './ack.store.js';
import { Acknowledger } from './acknowledger.js';

/** Deliveries that wait for their recipients, and what takes them off the queue. */
@Module({
  providers: [AckStore, Acknowledger],
  exports: [Acknowledger],
})
export class QueueModule {}
