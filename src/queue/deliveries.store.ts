import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Any, IsNull, Not, type Repository } from 'typeorm';
import { CONFIG, type Config } from '../platform/config/config.js';
import { batchReads } from '../platform/database/batch-reads.js';
import { retryWhileLocked } from '../platform/database/locked-rows.js';
import { LIMITS, type QueueItem, type SystemMessage } from '../protocol/index.js';
import { DeliveryEntity, EndedDeliveryEntity } from './delivery.entity.js';
import { toMessage, type MessageRow } from './message.rows.js';

/** Asks for the next deliveries to offer. */
export interface DeliveryRequest {
  userId: string;
  /** Id of the last delivery that was offered; `0` for the first batch. */
  afterId: string;
  /** Conversation id → `seq` after which the connection receives messages live. Those are not offered. */
  live: ReadonlyMap<string, number>;
}

/** Deliveries to offer to a connection. */
export interface DeliveryBatch {
  items: QueueItem[];
  /** Number of the user's deliveries that wait after these. */
  remaining: number;
  /** Deliveries dropped since the user was last notified. */
  dropped: number;
  /** Whether the queue is larger than it may be, or something in it is older. */
  overdue: boolean;
}

type OfferRow = Partial<MessageRow> & {
  reader: number;
  queue_id: string;
  system: SystemMessage | null;
  remaining: string;
  dropped: string;
  needs_trim: boolean;
};

/** Size of one result: a batch has at most 64 results. */
const RESULT_BYTES = 16 * 1024;

/** Stores waiting deliveries: returns the next ones to offer, and counts offers that were not acked. */
@Injectable()
export class DeliveriesStore {
  private readonly offers = batchReads({
    read: (batch: readonly DeliveryRequest[]) => this.readOffers(batch),
    resultBytes: RESULT_BYTES,
  });

  constructor(
    @InjectRepository(DeliveryEntity) private readonly deliveries: Repository<DeliveryEntity>,
    @InjectRepository(EndedDeliveryEntity) private readonly ended: Repository<EndedDeliveryEntity>,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Returns the next deliveries of a user, oldest first: at most 100 and 256 KiB, but at least one if any waits. */
  next(request: DeliveryRequest): Promise<DeliveryBatch> {
    return this.offers(request);
  }

  /** Counts an offer that was not acked in time. After `QUEUE_MAX_ATTEMPTS` offers a delivery has failed. */
  async countAttempt(userId: string, queueIds: readonly string[]): Promise<void> {
    const values = [userId, queueIds, this.config.QUEUE_MAX_ATTEMPTS];
    await retryWhileLocked(() => this.deliveries.query('select attempt_deliveries($1, $2, $3)', values));
  }

  /** Deletes delivered system messages. `ack_messages` deletes messages of conversations, by their `seq`. */
  async deleteSystem(userId: string, queueIds: readonly string[]): Promise<void> {
    await this.deliveries.delete({ userId, id: Any([...queueIds]), system: Not(IsNull()) });
  }

  /** Queues a system message for one user. */
  async addSystem(userId: string, message: SystemMessage): Promise<void> {
    await this.deliveries.insert({ userId, system: message as object });
  }

  /** Records that the user was notified of all deliveries dropped so far. */
  async markNotified(userId: string): Promise<void> {
    await this.ended.update({ userId, state: 'dropped', notified: false }, { notified: true });
  }

  private async readOffers(batch: readonly DeliveryRequest[]): Promise<DeliveryBatch[]> {
    const rows = await this.deliveries.query<OfferRow[]>(
      'select * from offer_deliveries($1, $2, $3, $4, $5, $6, $7)',
      [
        batch.map(({ userId }) => userId),
        batch.map(({ afterId }) => afterId),
        batch.map(({ live }) => JSON.stringify(Object.fromEntries(live))),
        ...[this.config.QUEUE_TTL_MS, this.config.QUEUE_MAX_SIZE, LIMITS.deliverItems, LIMITS.pageBytes],
      ],
    );
    const batches = batch.map((): DeliveryBatch => ({ items: [], remaining: 0, dropped: 0, overdue: false }));
    for (const row of rows) {
      const found = batches[row.reader - 1] as DeliveryBatch;
      found.items.push(toItem(row));
      found.remaining = Number(row.remaining);
      found.dropped = Number(row.dropped);
      found.overdue = row.needs_trim;
    }
    return batches;
  }
}

function toItem({ queue_id: queueId, system, ...row }: OfferRow): QueueItem {
  if (system) return { queueId, kind: 'system', message: system };
  return { queueId, kind: 'message', message: toMessage(row as MessageRow) };
}
