import { Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { MetricsRegistry } from '../metrics/registry.js';

/** The pool of connections for reads and rare writes. */
@Injectable()
export class PoolMetrics {
  constructor(registry: MetricsRegistry, dataSource: DataSource) {
    // TypeORM's driver keeps it as `master`, and has no type for it.
    const pool = (dataSource.driver as unknown as { master: Pool }).master;
    registry.gauge('streamgate_database_pool_connections', 'Open connections of the pool.', {
      labelNames: ['state'],
      collect: (gauge) => {
        gauge.set({ state: 'idle' }, pool.idleCount);
        gauge.set({ state: 'busy' }, pool.totalCount - pool.idleCount);
      },
    });
    registry.gauge('streamgate_database_pool_waiting', 'Queries that wait for a connection of the pool.', {
      collect: (gauge) => gauge.set(pool.waitingCount),
    });
  }
}
