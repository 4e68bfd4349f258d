import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { PeriodicTask } from '../../common/periodic-task.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { ChunkLogStore } from './chunk-log.store.js';

const MAX_INTERVAL_MS = 60_000;

/** Deletes chunks `STREAM_RETENTION_MS` after their stream's end, in small statements. The streams' rows and messages stay. */
@Injectable()
export class ChunkJanitor implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly task: PeriodicTask;

  constructor(
    private readonly log: ChunkLogStore,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    const intervalMs = Math.min(MAX_INTERVAL_MS, config.STREAM_RETENTION_MS / 2);
    this.task = new PeriodicTask({
      ...{ name: 'delete expired chunks', intervalMs, runAtOnce: true },
      run: (signal) => this.clean(signal),
    });
  }

  onApplicationBootstrap(): void {
    this.task.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.task.stop();
  }

  private async clean(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await this.log.expire(this.config.STREAM_RETENTION_MS)) > 0);
  }
}
