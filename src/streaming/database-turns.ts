import { Inject, Injectable } from '@nestjs/common';
import { bulkhead, type BulkheadPolicy } from 'cockatiel';
import { CONFIG, type Config } from '../config/config.js';

/**
 * Each answer that begins notes the size of its prompt. Who would wait for the database's pool for more than seconds is
 * refused, so that a thousand notes at once would fail, and everybody else beside them: they wait here, and leave half of
 * the pool alone.
 */
@Injectable()
export class DatabaseTurns {
  private readonly policy: BulkheadPolicy;

  constructor(@Inject(CONFIG) { DATABASE_POOL_SIZE }: Config) {
    this.policy = bulkhead(Math.floor(DATABASE_POOL_SIZE / 2), Infinity);
  }

  /** Runs `work` when it is its turn. */
  take<T>(work: () => Promise<T>): Promise<T> {
    return this.policy.execute(work);
  }
}
