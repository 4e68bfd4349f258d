import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { QueueAdminStore } from './queue-admin.store.js';

/** Twice within the minute in which what is beyond the bounds must be gone (P8). */
const EVERY_MS = 25_000;
const USERS_AT_ONCE = 500;

/** Holds every queue to its bounds, on one node at a time, in small statements. */
@Injectable()
export class QueueJanitor implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(QueueJanitor.name);
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> = Promise.resolve();

  constructor(private readonly store: QueueAdminStore) {}

  onApplicationBootstrap(): void {
    this.schedule();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    await this.round;
  }

  /** One round over all users for whom something waits. */
  async clean(): Promise<void> {
    for (let users = await this.store.usersWithQueue('', USERS_AT_ONCE); users.length > 0;) {
      for (const userId of users) {
        while (!this.stopping.signal.aborted && (await this.store.trim(userId)) > 0);
        if (this.stopping.signal.aborted) return;
      }
      users = await this.store.usersWithQueue(users.at(-1) ?? '', USERS_AT_ONCE);
    }
    while (!this.stopping.signal.aborted && (await this.store.forgetEnded()) > 0);
  }

  private schedule(): void {
    this.timer = setTimeout(() => {
      this.round = this.tryClean().finally(() => {
        if (!this.stopping.signal.aborted) this.schedule();
      });
    }, EVERY_MS);
  }

  private async tryClean(): Promise<void> {
    try {
      await this.store.exclusively(() => this.clean());
    } catch (error) {
      this.logger.warn(`the queues were not cleaned, next try in ${EVERY_MS} ms: ${String(error)}`);
    }
  }
}
