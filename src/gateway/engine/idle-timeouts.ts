import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { DeadlineQueue } from '../../common/deadline-queue.js';
import { PeriodicTask } from '../../common/periodic-task.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import type { Connection } from '../connections/connection.js';
import type { ConnectionObserver } from '../connections/connection-observer.js';

const SLOT_MS = 100;

/** Closes connections whose clients send nothing for `CONNECTION_IDLE_TIMEOUT_MS`; 0: none. */
@Injectable()
export class IdleTimeouts implements ConnectionObserver, OnApplicationShutdown {
  private readonly due = new DeadlineQueue<Connection>(SLOT_MS);
  private readonly checks = new PeriodicTask({
    name: 'close idle connections',
    intervalMs: SLOT_MS,
    run: () => this.closeIdle(),
  });

  constructor(@Inject(CONFIG) private readonly config: Config) {
    if (config.CONNECTION_IDLE_TIMEOUT_MS > 0) this.checks.start();
  }

  /** Number of watched connections. */
  get size(): number {
    return this.due.size;
  }

  onApplicationShutdown(): Promise<void> {
    return this.checks.stop();
  }

  onConnect(connection: Connection): void {
    const { CONNECTION_IDLE_TIMEOUT_MS: timeoutMs } = this.config;
    if (timeoutMs > 0) this.due.set(connection, connection.lastActivityAt + timeoutMs);
  }

  onDisconnect(connection: Connection): void {
    this.due.delete(connection);
  }

  /** Activity does not move the deadline. The check at the deadline takes it into account. */
  private closeIdle(): void {
    const now = performance.now();
    for (const connection of this.due.takeDue(now)) {
      const idleMs = now - connection.lastActivityAt;
      if (idleMs < this.config.CONNECTION_IDLE_TIMEOUT_MS) this.onConnect(connection);
      else connection.close('idle_timeout');
    }
  }
}
