import { Injectable } from '@nestjs/common';
import { DedicatedConnections } from '../platform/database/dedicated-connections.js';
import type { DedicatedConnection } from '../platform/database/dedicated-connection.js';

/** The queue as it stands. */
export interface QueueSample {
  /** Deliveries by state: those that wait, and those that ended otherwise than by an ack in the last week. */
  deliveries: Record<string, number>;
  /** Users for whom something waits. */
  users: number;
  /** Age of the oldest delivery that waits, in seconds; 0 where none waits. */
  oldestSeconds: number;
}

interface SampleRow {
  state: string;
  deliveries: number;
  users: number;
  oldest: number;
}

/** Reads both tables as a whole, on a connection of its own: nobody else waits for it, and it waits for nobody. */
const SAMPLE = {
  name: 'queue_sample',
  text: `select 'queued' as state, coalesce(sum(n), 0)::float8 as deliveries, count(*)::float8 as users,
      coalesce(extract(epoch from clock_timestamp() - min(oldest)), 0)::float8 as oldest
    from (select count(*) as n, min(created_at) as oldest from deliveries group by user_id) d
    union all
    select state, count(*)::float8, 0, 0 from ended_deliveries group by state`,
};
const DEADLINE_MS = 1000;

/** Counts the whole queue within a second, or not at all. */
@Injectable()
export class QueueSampleStore {
  private readonly connection: DedicatedConnection;

  constructor(connections: DedicatedConnections) {
    this.connection = connections.open('figures', { deadlineMs: DEADLINE_MS });
  }

  /** @throws the driver's error, or {DomainError} `timeout` where it takes more than a second. */
  async read(): Promise<QueueSample> {
    const rows = await this.connection.query<SampleRow>(SAMPLE, []);
    const queued = rows.find(({ state }) => state === 'queued');
    return {
      deliveries: Object.fromEntries(rows.map(({ state, deliveries }) => [state, deliveries])),
      users: queued?.users ?? 0,
      oldestSeconds: queued?.oldest ?? 0,
    };
  }
}
