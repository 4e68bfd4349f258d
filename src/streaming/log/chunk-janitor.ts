import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Repeating } from '../../common/repeating.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { RetentionStore } from './retention.store.js';

const MAX_EVERY_MS = 60_000;

/** Holds the log of chunks to `STREAM_RETENTION_MS`, in small statements. The streams' rows and messages stay. */
@Injectable()
export class ChunkJanitor implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly rounds: Repeating;
  private stopping = false;

  constructor(
    private readonly store: RetentionStore,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    const everyMs = Math.min(MAX_EVERY_MS, config.STREAM_RETENTION_MS / 2);
    this.rounds = new Repeating({ name: 'Retention', everyMs, work: () => this.clean() });
  }

  onApplicationBootstrap(): void {
    this.rounds.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    await this.rounds.stop();
  }

  private async clean(): Promise<void> {
    while (!this.stopping && (await this.store.expire(this.config.STREAM_RETENTION_MS)) > 0);
  }
}
