import { Inject, Injectable, Logger } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '../common/domain-error.js';
import { CONFIG, type Config } from '../config/config.js';
import { StreamSlots } from '../conversations/stream-slots.js';
import type { Provider } from '../providers/provider.js';
import { ProviderRegistry } from '../providers/provider-registry.js';
import type { OwnStream } from './nodes.store.js';
import { RunnerTools } from './runner-tools.js';
import { StreamRunner } from './stream-runner.js';
import type { OwnedStream } from './stream.rows.js';
import { StreamsStore } from './streams.store.js';

const RELEASE_MS = 2000;

interface Run {
  /** Null while its row is read. */
  runner: StreamRunner | null;
  done: Promise<void>;
}

/** The answers that this node is producing. */
@Injectable()
export class StreamRunners {
  private readonly logger = new Logger(StreamRunners.name);
  private readonly running = new Map<string, Run>();
  private readonly farewells: (() => Promise<void>)[] = [];
  private leaving = false;

  constructor(
    private readonly tools: RunnerTools,
    private readonly streams: StreamsStore,
    private readonly providers: ProviderRegistry,
    private readonly slots: StreamSlots,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  get size(): number {
    return this.running.size;
  }

  /** How many more answers this node may take; none when it is leaving. */
  get room(): number {
    return this.leaving ? 0 : this.slots.free();
  }

  /** Ids of the streams that run here. */
  ids(): string[] {
    return [...this.running.keys()];
  }

  has(streamId: string): boolean {
    return this.running.has(streamId);
  }

  /** Begins the answer of a stream in the background, if this node owns it and nobody has begun it. */
  start(streamId: string): void {
    if (!this.has(streamId)) this.track(streamId, this.streams.findNew(streamId));
  }

  /** Goes on with a stream that this node has claimed, in the background. */
  adopt(row: OwnedStream): void {
    const old = this.running.get(row.id);
    old?.runner?.stop();
    this.track(
      row.id,
      (old?.done ?? Promise.resolve()).then(() => row),
    );
  }

  /** A stream that did not run here, though it was this node's, is so no more. */
  forget(streamId: string): void {
    this.tools.metrics.interrupted.inc();
    if (!this.has(streamId)) this.slots.release(streamId);
  }

  /** Brings the runners of `streamIds` in step with what the database says are this node's streams. */
  reconcile(streamIds: readonly string[], own: readonly OwnStream[]): void {
    const owned = new Map(own.map((stream) => [stream.id, stream]));
    for (const id of streamIds) {
      const runner = this.running.get(id)?.runner;
      const state = owned.get(id);
      if (state?.epoch === runner?.epoch && state) runner?.obey(state);
      else runner?.stop();
    }
  }

  /** Names what is done as the last thing of {@link leave}, when nothing is produced here any more. */
  whenLeft(act: () => Promise<void>): void {
    this.farewells.push(act);
  }

  /**
   * Hands over at once what another process can continue, gives the rest `graceMs` to end, and hands that over too.
   * What begins meanwhile is handed over as well.
   */
  async leave(graceMs: number): Promise<void> {
    this.leaving = true;
    const releaseMs = Math.min(RELEASE_MS, graceMs / 4);
    for (const { runner } of this.running.values()) if (runner?.canHandOver) runner.handOver();
    await this.idle(graceMs - releaseMs);
    for (const { runner } of this.running.values()) runner?.handOver();
    await this.idle(releaseMs);
    await Promise.all(this.farewells.map((act) => act()));
  }

  private track(streamId: string, row: Promise<OwnedStream | null>): void {
    this.slots.hold(streamId);
    const run: Run = { runner: null, done: Promise.resolve() };
    run.done = this.run(run, row)
      .catch((error: unknown) => this.logger.error(`stream ${streamId} was not begun: ${String(error)}`))
      .finally(() => {
        if (this.running.get(streamId) !== run) return;
        this.running.delete(streamId);
        this.slots.release(streamId);
      });
    this.running.set(streamId, run);
  }

  private async run(run: Run, found: Promise<OwnedStream | null>): Promise<void> {
    const row = await found;
    if (!row) return;
    const provider = this.providerOf(row);
    if (provider instanceof DomainError) return this.refuse(row, provider);
    const runner = new StreamRunner(row, provider, this.tools, this.config);
    run.runner = runner;
    if (this.leaving && runner.canHandOver) runner.handOver();
    await runner.run();
  }

  /** The provider that the stream was asked of; an error where it is not configured any more. */
  private providerOf({ provider, model }: OwnedStream): Provider | DomainError {
    try {
      return this.providers.resolve(provider, model).provider;
    } catch (error) {
      if (error instanceof DomainError) return error;
      throw error;
    }
  }

  private async refuse(row: OwnedStream, fault: DomainError): Promise<void> {
    const { id: streamId, epoch, last_sequence: lastSequence, options } = row;
    const error = new DomainError('provider_unavailable', fault.message).toWire(streamId);
    const ending = { streamId, owner: { epoch, lastSequence }, type: 'error', error } as const;
    await this.tools.ender.end({ ...ending, visible: options.visible });
  }

  /** Waits until nothing runs, at most `ms`. */
  private async idle(ms: number): Promise<void> {
    const all = Promise.all([...this.running.values()].map(({ done }) => done));
    await Promise.race([all, delay(ms, undefined, { ref: false })]);
  }
}
