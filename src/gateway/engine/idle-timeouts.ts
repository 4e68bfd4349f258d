import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { DeadlineQueue } from '../../common/deadline-queue.js';
import { Recurring } from '../../common/recurring.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import type { Connection } from '../connections/connection.js';

const SLOT_MS = 100;

/** Closes connections whose clients send nothing for `CONNECTION_IDLE_TIMEOUT_MS`; 0: none. */
@Injectable()
export class IdleTimeouts implements OnApplicationShutdown {
  private readonly logger = new Logger(IdleTimeouts.name);
  private readonly due = new DeadlineQueue<Connection>(SLOT_MS);
  private readonly looking = new Recurring({
    everyMs: SLOT_MS,
    work: async () => this.look(),
    onFault: (error) => this.logger.error(`idle connections were not closed: ${String(error)}`),
  });

  constructor(@Inject(CONFIG) private readonly config: Config) {
    if (config.CONNECTION_IDLE_TIMEOUT_MS > 0) this.looking.start();
  }

  /** Connections that are watched. */
  get size(): number {
    return this.due.size;
  }

  onApplicationShutdown(): Promise<void> {
    return this.looking.stop();
  }

  watch(connection: Connection): void {
    const { CONNECTION_IDLE_TIMEOUT_MS: timeoutMs } = this.config;
    if (timeoutMs > 0) this.due.set(connection, connection.lastActivityAt + timeoutMs);
  }

  forget(connection: Connection): void {
    this.due.delete(connection);
  }

  /** Activity moves nothing here: it is found when the time has come. */
  private look(): void {
    const now = performance.now();
    for (const connection of this.due.take(now)) {
      const idleMs = now - connection.lastActivityAt;
      if (idleMs < this.config.CONNECTION_IDLE_TIMEOUT_MS) this.watch(connection);
      else connection.closeAndRetry('idle_timeout', 'Nothing was sent on this connection for long.');
    }
  }
}
