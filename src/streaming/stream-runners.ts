import { Inject, Injectable, Logger } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { CONFIG, type Config } from '../config/config.js';
import { StreamSlots } from '../conversations/stream-slots.js';
import { ProviderRegistry } from '../providers/provider-registry.js';
import { Relay } from '../relay/relay.js';
import { ChunkLogStore } from './chunk-log.store.js';
import { PromptBuilder } from './prompt.js';
import { StreamEnder } from './stream-ender.js';
import { StreamRunner, type RunnerTools } from './stream-runner.js';
import { StreamsStore } from './streams.store.js';

/** The answers that this node is producing. */
@Injectable()
export class StreamRunners {
  private readonly logger = new Logger(StreamRunners.name);
  private readonly running = new Map<string, Promise<void>>();
  private readonly tools: RunnerTools;

  constructor(
    log: ChunkLogStore,
    private readonly streams: StreamsStore,
    prompts: PromptBuilder,
    ender: StreamEnder,
    relay: Relay,
    private readonly providers: ProviderRegistry,
    private readonly slots: StreamSlots,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    this.tools = { log, streams, prompts, ender, relay };
  }

  get size(): number {
    return this.running.size;
  }

  /** Produces the answer of a stream that this node owns, in the background. */
  start(streamId: string): void {
    if (this.running.has(streamId)) return;
    this.slots.take();
    const run = this.run(streamId)
      .catch((error: unknown) => this.logger.error(`stream ${streamId} was not begun: ${String(error)}`))
      .finally(() => {
        this.running.delete(streamId);
        this.slots.release();
      });
    this.running.set(streamId, run);
  }

  /** Waits until every running answer has ended, at most `graceMs`. */
  async finish(graceMs: number): Promise<void> {
    await Promise.race([Promise.all(this.running.values()), delay(graceMs, undefined, { ref: false })]);
  }

  private async run(streamId: string): Promise<void> {
    const row = await this.streams.find(streamId);
    if (!row || row.completed_at) return;
    const { provider } = this.providers.resolve(row.provider, row.model);
    const { STREAM_TIMEOUT_MS: timeoutMs, STREAM_BUFFER_BYTES: bufferBytes } = this.config;
    await new StreamRunner(row, provider, this.tools, { timeoutMs, bufferBytes }).run();
  }
}
