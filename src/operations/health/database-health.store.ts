import { Injectable, Logger } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { DataSource } from 'typeorm';
import type { DedicatedConnection } from '../../platform/database/dedicated-connection.js';
import { DedicatedConnections } from '../../platform/database/dedicated-connections.js';
import { causeOf, reasonOf } from '../../platform/database/errors.js';

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
  private lastFault: string | undefined;

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
    // Health is public: it shows the reason by its code only. The log has PostgreSQL's words.
    return this.indicators.check('database').down({ message: fault });
  }

  private async findFault(): Promise<string | undefined> {
    try {
      const [row] = await this.connection.query<{ missing: number }>(MISSING_MIGRATIONS, [this.migrations]);
      if (row?.missing !== 0) return 'the database lacks migrations: restart the server';
    } catch (error) {
      return this.fault('the database does not respond', error);
    }
    return this.writeFault();
  }

  /** Writes at most once every three seconds while that succeeds, however often it is called. */
  private async writeFault(): Promise<string | undefined> {
    if (performance.now() < this.nextWriteAt) return undefined;
    try {
      await this.connection.query(WRITE_PROBE, []);
      this.nextWriteAt = performance.now() + WRITE_INTERVAL_MS;
      this.lastFault = undefined;
      return undefined;
    } catch (error) {
      return this.fault('the database cannot store anything now', error);
    }
  }

  /** Logs a fault when it begins, and when its reason changes. */
  private fault(what: string, error: unknown): string {
    const reason = reasonOf(error);
    const fault = reason === undefined ? what : `${what} (${reason})`;
    if (fault !== this.lastFault) this.logger.warn('database check failed', { fault, cause: causeOf(error) });
    this.lastFault = fault;
    return fault;
  }
}
