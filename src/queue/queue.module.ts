import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AckStore } from './ack.store.js';
import { Acknowledger } from './acknowledger.js';
import { DeliveryEntity, EndedDeliveryEntity } from './delivery.entity.js';
import { DeliveriesStore } from './deliveries.store.js';
import { QueueAdminStore } from './queue-admin.store.js';
import { QueueJanitor } from './queue-janitor.js';
import { QueueMetrics } from './queue-metrics.js';
import { QueueSampleStore } from './queue-sample.store.js';
import { QueueController } from './queue.controller.js';
import { QueueService } from './queue.service.js';

/** Queues deliveries for absent members, and removes them on acks. */
@Module({
  imports: [TypeOrmModule.forFeature([DeliveryEntity, EndedDeliveryEntity])],
  controllers: [QueueController],
  providers: [
    AckStore,
    DeliveriesStore,
    QueueAdminStore,
    Acknowledger,
    QueueService,
    QueueJanitor,
    QueueSampleStore,
    QueueMetrics,
  ],
  exports: [Acknowledger, QueueService, QueueSampleStore],
})
export class QueueModule {}
