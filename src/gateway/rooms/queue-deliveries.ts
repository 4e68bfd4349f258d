import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { QueueService } from '../../queue/queue.service.js';
import type { Connection } from '../connections/connection.js';
import { QueueDelivery, type QueueDeliveryOptions } from './queue-delivery.js';
import { QueueDeliveryMetrics } from './queue-delivery-metrics.js';

/** Brings what waits for users to their connections. */
@Injectable()
export class QueueDeliveries {
  private readonly logger = new Logger(QueueDeliveries.name);
  private readonly drainers = new Map<Connection, QueueDelivery>();
  private readonly options: QueueDeliveryOptions;

  constructor(queue: QueueService, metrics: QueueDeliveryMetrics, @Inject(CONFIG) config: Config) {
    this.options = {
      queue,
      metrics,
      ackTimeoutMs: config.QUEUE_ACK_TIMEOUT_MS,
      onFault: ({ id }, error) =>
        this.logger.warn(`the queue of ${id} waits for another try: ${String(error)}`),
    };
  }

  /** Brings what waits now. */
  start(connection: Connection): void {
    this.drainerOf(connection).wake();
  }

  stop(connection: Connection): void {
    this.drainers.get(connection)?.stop();
    this.drainers.delete(connection);
  }

  /** Something was queued: a message of a conversation, or a system message (null). */
  wake(connection: Connection, conversationId: string | null): void {
    // Who has joined the conversation hears its messages live.
    if (conversationId !== null && connection.joined.has(conversationId)) return;
    if (connection.socket.connected) this.drainerOf(connection).wake();
  }

  /** Most connections have nothing waiting, and no drainer. */
  private drainerOf(connection: Connection): QueueDelivery {
    const delivery =
      this.drainers.get(connection) ??
      new QueueDelivery(connection, this.options, () => this.drainers.delete(connection));
    this.drainers.set(connection, delivery);
    return delivery;
  }
}
