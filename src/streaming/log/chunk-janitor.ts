import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { PeriodicTask } from '../../common/periodic-task.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { RetentionStore } from './retention.store.js';

const MAX_EVERY_MS = 60_000;

/** Holds the log of chunks to `STREAM_RETENTION_MS`, in small statements. The streams' rows and messages stay. */
@Injectable()
export class ChunkJanitor implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly rounds: PeriodicTask;

  constructor(
    private readonly store: RetentionStore,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    const intervalMs = Math.min(MAX_EVERY_MS, config.STREAM_RETENTION_MS / 2);
    this.rounds = new PeriodicTask({
      ...{ name: 'delete expired chunks', intervalMs, runAtOnce: true },
      run: (signal) => this.clean(signal),
    });
  }

  onApplicationBootstrap(): void {
    this.rounds.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.rounds.stop();
  }

  private async clean(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await this.store.expire(this.config.STREAM_RETENTION_MS)) > 0);
  }
}
