import { Injectable } from '@nestjs/common';
import type { DedicatedConnection } from '../platform/database/dedicated-connection.js';
import { DedicatedConnections } from '../platform/database/dedicated-connections.js';
import { toDatabaseError } from '../platform/database/errors.js';
import type { DeliveryState } from './queue.dto.js';

/** Counts of the whole queue at one time. */
export interface QueueSample {
  /** Deliveries by state: the waiting ones, and those that ended in the last week without an ack. */
  deliveries: Record<DeliveryState, number>;
  /** Users for whom deliveries wait. */
  users: number;
  /** Age of the oldest waiting delivery, in seconds; 0 when none waits. */
  oldestSeconds: number;
}

interface SampleRow {
  state: DeliveryState;
  deliveries: number;
  users: number;
  oldest: number;
}

/** Reads both tables as a whole. On a dedicated connection nothing else waits for it, and it waits for nothing. */
const SAMPLE = {
  name: 'queue_sample',
  text: `select 'queued' as state, coalesce(sum(n), 0)::float8 as deliveries, count(*)::float8 as users,
      coalesce(extract(epoch from clock_timestamp() - min(oldest)), 0)::float8 as oldest
    from (select count(*) as n, min(created_at) as oldest from deliveries group by user_id) d
    union all
    select state, count(*)::float8, 0, 0 from ended_deliveries group by state`,
};
const DEADLINE_MS = 1000;

/** Counts the whole queue, for metrics and statistics. */
@Injectable()
export class QueueSampleStore {
  private readonly connection: DedicatedConnection;
  private running: Promise<QueueSample> | undefined;

  constructor(connections: DedicatedConnections) {
    this.connection = connections.open('figures', { deadlineMs: DEADLINE_MS });
  }

  /**
   * Counts the queue within a second. Calls during a running count share it, so that any number of readers costs one scan.
   * @throws {DomainError} `timeout`, retryable, when it takes longer or the database is away.
   */
  read(): Promise<QueueSample> {
    this.running ??= this.count().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async count(): Promise<QueueSample> {
    const rows = await this.connection.query<SampleRow>(SAMPLE, []).catch((error: unknown) => {
      throw toDatabaseError(error);
    });
    const deliveries = { queued: 0, expired: 0, dropped: 0, failed: 0 };
    for (const row of rows) deliveries[row.state] = row.deliveries;
    const queued = rows.find(({ state }) => state === 'queued');
    return { deliveries, users: queued?.users ?? 0, oldestSeconds: queued?.oldest ?? 0 };
  }
}
