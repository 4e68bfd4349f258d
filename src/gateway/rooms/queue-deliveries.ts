import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { QueueService } from '../../queue/queue.service.js';
import type { Connection } from '../connections/connection.js';
import { Drainer, type DrainerOptions } from './queue-delivery.js';
import { OfferMetrics } from './queue-delivery-metrics.js';

/** Brings what waits for users to their connections. */
@Injectable()
export class Deliveries {
  private readonly logger = new Logger(Deliveries.name);
  private readonly drainers = new Map<Connection, Drainer>();
  private readonly options: DrainerOptions;

  constructor(queue: QueueService, metrics: OfferMetrics, @Inject(CONFIG) config: Config) {
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
  private drainerOf(connection: Connection): Drainer {
    const drainer =
      this.drainers.get(connection) ??
      new Drainer(connection, this.options, () => this.drainers.delete(connection));
    this.drainers.set(connection, drainer);
    return drainer;
  }
}
