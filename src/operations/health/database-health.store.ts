import { Injectable, Logger } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { DataSource } from 'typeorm';
import type { DedicatedConnection } from '../../platform/database/dedicated-connection.js';
import { DedicatedConnections } from '../../platform/database/dedicated-connections.js';

const DEADLINE_MS = 2000;
const MISSING_MIGRATIONS = {
  name: 'missing_migrations',
  text: `select count(*)::int as missing from unnest($1::text[]) as known(name)
    where not exists (select 1 from migrations m where m.name = known.name)`,
};

const WRITE_PROBE = { name: 'probe_write', text: 'select probe_write()' };
/** How long after a successful write no other one is tried, in milliseconds. */
const WRITE_INTERVAL_MS = 3000;

/** Checks whether a message could be stored now: the database has all migrations, and can be read and written in time. */
@Injectable()
export class DatabaseHealthStore {
  /** A dedicated connection: a busy pool does not mean that the database is down. */
  private readonly connection: DedicatedConnection;
  private readonly migrations: string[];
  private readonly logger = new Logger(DatabaseHealthStore.name);
  private running: Promise<HealthIndicatorResult> | undefined;
  private nextWriteAt = -Infinity;
  private isFailing = false;

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
    this.running ??= this.runCheck().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async runCheck(): Promise<HealthIndicatorResult> {
    const fault = await this.findFault();
    if (fault === undefined) return this.indicators.check('database').up();
    // Health is public: it shows that something is down, but not why. The log has the reason.
    return this.indicators.check('database').down({ message: fault });
  }

  private async findFault(): Promise<string | undefined> {
    try {
      const [row] = await this.connection.query<{ missing: number }>(MISSING_MIGRATIONS, [this.migrations]);
      if (row?.missing !== 0) return 'the database lacks migrations: restart the server';
    } catch {
      return 'the database does not respond';
    }
    return (await this.canWrite()) ? undefined : 'the database cannot store anything now';
  }

  /** Writes at most once every three seconds while that succeeds, however often it is called. */
  private async canWrite(): Promise<boolean> {
    if (performance.now() < this.nextWriteAt) return true;
    try {
      await this.connection.query(WRITE_PROBE, []);
      this.nextWriteAt = performance.now() + WRITE_INTERVAL_MS;
      this.isFailing = false;
      return true;
    } catch (error) {
      if (!this.isFailing) this.logger.warn('failed to write to the database', { error });
      this.isFailing = true;
      return false;
    }
  }
}
