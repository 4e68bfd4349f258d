import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { PeriodicTask } from '../../common/periodic-task.js';
import { PresenceService } from '../presence.service.js';

const SETTLE_EVERY_MS = 100;

/** Lets time do its part: who is away by now, and whose grace or lease has ended. */
@Injectable()
export class PresenceSweeper implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly sweeps: PeriodicTask;

  constructor(private readonly presence: PresenceService) {
    this.sweeps = new PeriodicTask({
      name: 'sweep presence',
      intervalMs: SETTLE_EVERY_MS,
      run: () => presence.settle(),
    });
  }

  onApplicationBootstrap(): void {
    this.sweeps.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.sweeps.stop();
    await this.presence.close();
  }
}
