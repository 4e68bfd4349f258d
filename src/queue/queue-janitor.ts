import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { PeriodicTask } from '../common/periodic-task.js';
import { QueueAdminStore } from './queue-admin.store.js';

/** Two rounds fit in the minute within which queues must be back within their bounds (P8). */
const INTERVAL_MS = 25_000;
const USERS_AT_ONCE = 500;

/** Enforces the bounds of every queue, on one node at a time, in short transactions. */
@Injectable()
export class QueueJanitor implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly rounds = new PeriodicTask({
    name: 'clean the queues',
    intervalMs: INTERVAL_MS,
    run: (signal) => this.store.runExclusively(() => this.clean(signal)),
  });

  constructor(private readonly store: QueueAdminStore) {}

  onApplicationBootstrap(): void {
    this.rounds.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.rounds.stop();
  }

  /** Cleans the queues of all users with waiting deliveries. */
  private async clean(signal: AbortSignal): Promise<void> {
    for (let users = await this.store.usersWithQueue('', USERS_AT_ONCE); users.length > 0;) {
      for (const userId of users) {
        while (!signal.aborted && (await this.store.trim(userId)) > 0);
        if (signal.aborted) return;
      }
      users = await this.store.usersWithQueue(users.at(-1) ?? '', USERS_AT_ONCE);
    }
    while (!signal.aborted && (await this.store.forgetEnded()) > 0);
  }
}
