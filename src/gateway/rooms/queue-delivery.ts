import type { ServerEvents } from '../../protocol/index.js';
import type { DeliveryBatch } from '../../queue/deliveries.store.js';
import type { QueueService } from '../../queue/queue.service.js';
import type { Connection } from '../connections/connection.js';
import type { QueueDeliveryMetrics, DeliveryOutcome } from './queue-delivery-metrics.js';

/** What the drainers of all connections share. */
export interface QueueDeliveryOptions {
  queue: QueueService;
  metrics: QueueDeliveryMetrics;
  /** How long a client may take to ack a batch, in milliseconds. */
  ackTimeoutMs: number;
  onFault: (connection: Connection, error: unknown) => void;
}

const RETRY_MS = 2000;

/** Offers one connection what waits for its user: in order, one batch at a time, until nothing is left (P8). */
export class QueueDelivery {
  private wanted = false;
  private running = false;
  private stopped = false;
  private retry: NodeJS.Timeout | undefined;

  constructor(
    private readonly connection: Connection,
    private readonly options: QueueDeliveryOptions,
    /** Called when nothing waits any more: the next time takes another one. */
    private readonly done: () => void,
  ) {}

  /** Something waits, perhaps. */
  wake(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    this.wanted = true;
    if (!this.running && !this.stopped) void this.run();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.retry);
  }

  private async run(): Promise<void> {
    this.running = true;
    try {
      while (this.wanted && !this.stopped) {
        this.wanted = false;
        await this.drain();
      }
    } catch (error) {
      this.options.onFault(this.connection, error);
      if (!this.stopped) this.retry = setTimeout(() => this.wake(), RETRY_MS);
    }
    this.running = false;
    if (!this.retry) this.done();
  }

  private async drain(): Promise<void> {
    const { queue, metrics } = this.options;
    const { userId, joined } = this.connection;
    // From the first one each time: of two that were queued at once the lower id may be committed later.
    let afterId = '0';
    let batch = await queue.first({ userId, live: joined });
    for (;;) {
      const last = batch.items.at(-1);
      if (!last || this.stopped) return;
      const acked = await metrics.count(batch.items.length, this.offer(batch));
      if (acked) {
        afterId = last.queueId;
        await queue.delivered(userId, batch);
      } else if (this.stopped) {
        return;
      } else {
        await queue.attempted(userId, batch.items);
      }
      batch = await queue.next({ userId, afterId, live: joined });
    }
  }

  private async offer({ items, remaining, dropped }: DeliveryBatch): Promise<DeliveryOutcome> {
    const { socket, acks } = this.connection;
    const batch: ServerEvents['queue:deliver'] = { items, remaining, dropped };
    if (!acks) return socket.connected && socket.emit('queue:deliver', batch) ? 'taken' : 'gone';
    try {
      await socket.timeout(this.options.ackTimeoutMs).emitWithAck('queue:deliver', batch);
      return 'acked';
    } catch {
      return 'timeout'; // The time has run out: Socket.IO rejects for nothing else.
    }
  }
}
