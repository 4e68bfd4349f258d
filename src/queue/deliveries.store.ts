import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { CONFIG, type Config } from '../platform/config/config.js';
import { batchReads } from '../platform/database/batch-reads.js';
import { LIMITS, type QueueItem, type SystemMessage } from '../protocol/index.js';
import { toMessage, type MessageRow } from './message.rows.js';

/** Which deliveries to offer next. */
export interface DeliveryRequest {
  userId: string;
  /** Id of the last delivery that was offered; `0` at first. */
  afterId: string;
  /** Conversations whose messages behind a `seq` are heard live: these are not offered. */
  live: ReadonlyMap<string, number>;
}

export interface DeliveryBatch {
  items: QueueItem[];
  /** Deliveries of the user that wait behind these. */
  remaining: number;
  /** Deliveries dropped since the user was last told. */
  dropped: number;
  /** Whether the queue is larger than it may be, or something in it is older. */
  overdue: boolean;
}

type DrainRow = Partial<MessageRow> & {
  reader: number;
  queue_id: string;
  system: SystemMessage | null;
  remaining: string;
  dropped: string;
  needs_trim: boolean;
};

/** A batch of reads is at most 64 answers. */
const RESULT_BYTES = 16 * 1024;

/** The waiting deliveries: offering them, and counting the offers that came to nothing. */
@Injectable()
export class DeliveriesStore {
  private readonly offers = batchReads({
    read: (batch: readonly DeliveryRequest[]) => this.readOffers(batch),
    resultBytes: RESULT_BYTES,
  });

  constructor(
    private readonly database: DataSource,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** The next deliveries of a user, oldest first: at most 100 or 256 KiB, but at least one where there is one. */
  next(request: DeliveryRequest): Promise<DeliveryBatch> {
    return this.offers(request);
  }

  /** Counts an offer that was not acked in time; what was offered `QUEUE_MAX_ATTEMPTS` times has failed. */
  async attempted(userId: string, queueIds: readonly string[]): Promise<void> {
    await this.database.query('select attempt_deliveries($1, $2, $3)', [
      userId,
      queueIds,
      this.config.QUEUE_MAX_ATTEMPTS,
    ]);
  }

  /** Takes system messages off the queue. Messages of conversations go by their `seq`: see `ack_messages`. */
  async deleteSystem(userId: string, queueIds: readonly string[]): Promise<void> {
    await this.database.query(
      'delete from deliveries where user_id = $1 and id = any($2::bigint[]) and system is not null',
      [userId, queueIds],
    );
  }

  /** Queues a system message for one user. */
  async addSystem(userId: string, message: SystemMessage): Promise<void> {
    await this.database.query('insert into deliveries (user_id, system) values ($1, $2)', [
      userId,
      JSON.stringify(message),
    ]);
  }

  /** The user has been told of what was dropped so far. */
  async told(userId: string): Promise<void> {
    await this.database.query(
      `update ended_deliveries set told = true where user_id = $1 and state = 'dropped' and not told`,
      [userId],
    );
  }

  private async readOffers(batch: readonly DeliveryRequest[]): Promise<DeliveryBatch[]> {
    const rows = await this.database.query<DrainRow[]>(
      'select * from offer_deliveries($1, $2, $3, $4, $5, $6, $7)',
      [
        batch.map(({ userId }) => userId),
        batch.map(({ afterId }) => afterId),
        batch.map(({ live }) => JSON.stringify(Object.fromEntries(live))),
        ...[this.config.QUEUE_TTL_MS, this.config.QUEUE_MAX_SIZE, LIMITS.deliverItems, LIMITS.pageBytes],
      ],
    );
    const drained = batch.map((): DeliveryBatch => ({ items: [], remaining: 0, dropped: 0, overdue: false }));
    for (const row of rows) {
      const found = drained[row.reader - 1] as DeliveryBatch;
      found.items.push(toItem(row));
      found.remaining = Number(row.remaining);
      found.dropped = Number(row.dropped);
      found.overdue = row.needs_trim;
    }
    return drained;
  }
}

function toItem({ queue_id: queueId, system, ...row }: DrainRow): QueueItem {
  if (system) return { queueId, kind: 'system', message: system };
  return { queueId, kind: 'message', message: toMessage(row as MessageRow) };
}
