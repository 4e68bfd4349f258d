import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '../config/config.js';
import { QueueService } from '../queue/queue.service.js';
import type { Connection } from './connection.js';
import { Drainer } from './drainer.js';

/** Brings what waits for users to their connections. */
@Injectable()
export class Deliveries {
  private readonly logger = new Logger(Deliveries.name);
  private readonly drainers = new Map<Connection, Drainer>();

  constructor(
    private readonly queue: QueueService,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  start(connection: Connection): void {
    const drainer = new Drainer(connection, {
      queue: this.queue,
      ackTimeoutMs: this.config.QUEUE_ACK_TIMEOUT_MS,
      onFault: (error) =>
        this.logger.warn(`the queue of ${connection.id} waits for another try: ${String(error)}`),
    });
    this.drainers.set(connection, drainer);
    drainer.wake();
  }

  stop(connection: Connection): void {
    this.drainers.get(connection)?.stop();
    this.drainers.delete(connection);
  }

  /** Something was queued: a message of a conversation, or a system message (null). */
  wake(connection: Connection, conversationId: string | null): void {
    // Who has joined the conversation hears its messages live.
    if (conversationId !== null && connection.joined.has(conversationId)) return;
    this.drainers.get(connection)?.wake();
  }
}
