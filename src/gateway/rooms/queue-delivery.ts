import type { ServerEvents } from '../../protocol/index.js';
import type { DeliveryBatch } from '../../queue/deliveries.store.js';
import type { QueueService } from '../../queue/queue.service.js';
import type { Connection } from '../connections/connection.js';

/**
 * Outcome of offering a batch: `acked`, or no ack within the `timeout`. For a client without `acks`: `taken` once it is
 * written to the socket, `gone` when the socket has closed.
 */
export type OfferOutcome = 'acked' | 'timeout' | 'taken' | 'gone';

/** Shared by the deliveries of all connections. */
export interface QueueDeliveryOptions {
  queue: QueueService;
  /** Deadline for the client's ack of a batch, in milliseconds. */
  ackTimeoutMs: number;
  /** Counts the offer of a batch of `items` deliveries by its outcome. @returns that outcome. */
  countOffer: (items: number, offer: Promise<OfferOutcome>) => Promise<OfferOutcome>;
  onError: (connection: Connection, error: unknown) => void;
}

const RETRY_MS = 2000;

/** Offers one connection its user's queue: in order, one batch at a time, until the queue is empty (P8). */
export class QueueDelivery {
  private wanted = false;
  private running = false;
  private stopped = false;
  private retry: NodeJS.Timeout | undefined;

  constructor(
    private readonly connection: Connection,
    private readonly options: QueueDeliveryOptions,
    /** Called when the queue is empty: the next `wake` needs a new instance. */
    private readonly onDone: () => void,
  ) {}

  /** Delivers what is queued; while a delivery is running, checks the queue once more afterwards. */
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
        await this.deliver();
      }
    } catch (error) {
      this.options.onError(this.connection, error);
      if (!this.stopped) this.retry = setTimeout(() => this.wake(), RETRY_MS);
    }
    this.running = false;
    if (!this.retry) this.onDone();
  }

  private async deliver(): Promise<void> {
    const { queue, countOffer } = this.options;
    const { userId, joined } = this.connection;
    // From the start each time: of two items that are queued at once, the one with the lower id may be committed later.
    let afterId = '0';
    let batch = await queue.first({ userId, live: joined });
    for (;;) {
      const last = batch.items.at(-1);
      if (!last || this.stopped) return;
      const outcome = await countOffer(batch.items.length, this.offer(batch));
      if (outcome === 'acked' || outcome === 'taken') {
        afterId = last.queueId;
        await queue.delivered(userId, batch);
      } else if (this.stopped) {
        return;
      } else {
        await queue.countAttempt(userId, batch.items);
      }
      batch = await queue.next({ userId, afterId, live: joined });
    }
  }

  private async offer({ items, remaining, dropped }: DeliveryBatch): Promise<OfferOutcome> {
    const { socket, acks } = this.connection;
    const batch: ServerEvents['queue:deliver'] = { items, remaining, dropped };
    if (!acks) return socket.connected && socket.emit('queue:deliver', batch) ? 'taken' : 'gone';
    try {
      await socket.timeout(this.options.ackTimeoutMs).emitWithAck('queue:deliver', batch);
      return 'acked';
    } catch {
      return 'timeout'; // Socket.IO rejects for no other reason.
    }
  }
}
