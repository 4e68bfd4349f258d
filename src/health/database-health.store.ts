import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { DataSource } from 'typeorm';

const TIMEOUT_MS = 2000;

/** Whether the database answers a real query in time. */
@Injectable()
export class DatabaseHealthStore {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly database: DataSource,
  ) {}

  async check(): Promise<HealthIndicatorResult> {
    const indicator = this.indicators.check('database');
    const tooLate = AbortSignal.timeout(TIMEOUT_MS);
    try {
      await Promise.race([this.database.query('select 1'), rejectOn(tooLate)]);
      return indicator.up();
    } catch {
      // Health is public: it says that the database is away, not why. The log has the reason.
      return indicator.down({ message: 'the database does not answer' });
    }
  }
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('too late')), { once: true });
  });
}
