import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { DataSource } from 'typeorm';
import type { DedicatedConnection } from '../../platform/database/dedicated-connection.js';
import { DedicatedConnections } from '../../platform/database/dedicated-connections.js';

const DEADLINE_MS = 2000;
const MISSING = {
  name: 'missing_migrations',
  text: `select count(*)::int as missing from unnest($1::text[]) as known(name)
    where not exists (select 1 from migrations m where m.name = known.name)`,
};

/** Checks that the database responds to a real query in time, and has all migrations. */
@Injectable()
export class DatabaseHealthStore {
  /** A dedicated connection: a busy pool does not mean that the database is down. */
  private readonly connection: DedicatedConnection;
  private readonly migrations: string[];
  private running: Promise<HealthIndicatorResult> | undefined;

  constructor(
    private readonly indicators: HealthIndicatorService,
    connections: DedicatedConnections,
    { migrations }: DataSource,
  ) {
    this.connection = connections.open('health', { deadlineMs: DEADLINE_MS });
    this.migrations = migrations.map(({ name, constructor }) => name ?? constructor.name);
  }

  /** Resolves within two seconds. Concurrent checks share one query, so that probes do not pile up. */
  check(): Promise<HealthIndicatorResult> {
    this.running ??= this.ask().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async ask(): Promise<HealthIndicatorResult> {
    const indicator = this.indicators.check('database');
    try {
      const [row] = await this.connection.query<{ missing: number }>(MISSING, [this.migrations]);
      if (row?.missing === 0) return indicator.up();
      return indicator.down({ message: 'the database lacks migrations: restart the server' });
    } catch {
      // Health is public: it shows that the database is down, but not why. The log has the reason.
      return indicator.down({ message: 'the database does not answer' });
    }
  }
}
