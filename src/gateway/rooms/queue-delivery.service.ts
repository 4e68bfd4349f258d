import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Counter } from 'prom-client';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import { QueueService } from '../../queue/queue.service.js';
import type { Connection } from '../connections/connection.js';
import type { ConnectionObserver } from '../connections/connection-observer.js';
import { QueueDelivery, type OfferOutcome, type QueueDeliveryOptions } from './queue-delivery.js';

/** Sends the queues of users to their connections, and counts what it offers. */
@Injectable()
export class QueueDeliveryService implements ConnectionObserver {
  private readonly logger = new Logger(QueueDeliveryService.name);
  private readonly running = new Map<Connection, QueueDelivery>();
  private readonly options: QueueDeliveryOptions;
  private readonly offeredItems: Counter<'outcome'>;
  private awaitedAcks = 0;

  constructor(queue: QueueService, registry: MetricsRegistry, @Inject(CONFIG) config: Config) {
    this.options = {
      queue,
      ackTimeoutMs: config.QUEUE_ACK_TIMEOUT_MS,
      countOffer: (items, outcome) => this.countOffer(items, outcome),
      onError: ({ id: connectionId }, error) =>
        this.logger.warn('failed to deliver a queue, will retry', { connectionId, error }),
    };
    this.offeredItems = registry.counter(
      'streamgate_queue_offered_items_total',
      'Queue items offered to a connection; each offer counts.',
      ['outcome'],
    );
    registry.gauge('streamgate_queue_acks_awaited', 'Queue batches that wait for their ack.', {
      collect: (gauge) => gauge.set(this.awaitedAcks),
    });
  }

  /** Delivers what is queued for the connection's user. */
  onConnect(connection: Connection): void {
    this.deliveryOf(connection).wake();
  }

  onDisconnect(connection: Connection): void {
    this.running.get(connection)?.stop();
    this.running.delete(connection);
  }

  /** Delivers what was queued just now: a message of a conversation, or a system message (`conversationId` null). */
  wake(connection: Connection, conversationId: string | null): void {
    // A connection that has joined the conversation receives its messages live.
    if (conversationId !== null && connection.joined.has(conversationId)) return;
    if (connection.socket.connected) this.deliveryOf(connection).wake();
  }

  /** Created on demand: most connections have an empty queue. */
  private deliveryOf(connection: Connection): QueueDelivery {
    const delivery =
      this.running.get(connection) ??
      new QueueDelivery(connection, this.options, () => this.running.delete(connection));
    this.running.set(connection, delivery);
    return delivery;
  }

  private async countOffer(items: number, offer: Promise<OfferOutcome>): Promise<OfferOutcome> {
    this.awaitedAcks += 1;
    const outcome = await offer.finally(() => {
      this.awaitedAcks -= 1;
    });
    this.offeredItems.inc({ outcome }, items);
    return outcome;
  }
}
