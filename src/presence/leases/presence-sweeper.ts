import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Recurring } from '../../common/recurring.js';
import { PresenceService } from '../presence.service.js';

const SETTLE_EVERY_MS = 100;

/** Lets time do its part: who is away by now, and whose grace or lease has ended. */
@Injectable()
export class PresenceSweeper implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(PresenceSweeper.name);
  private readonly settling: Recurring;

  constructor(private readonly presence: PresenceService) {
    this.settling = new Recurring({
      everyMs: SETTLE_EVERY_MS,
      work: () => presence.settle(),
      onFault: (error) => this.logger.warn(`presence was not settled: ${String(error)}`),
    });
  }

  onApplicationBootstrap(): void {
    this.settling.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.settling.stop();
    await this.presence.close();
  }
}
