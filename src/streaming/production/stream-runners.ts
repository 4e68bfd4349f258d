import { Inject, Injectable, Logger } from '@nestjs/common';
import { withTimeout } from '../../common/deadline.js';
import { DomainError } from '../../common/domain-error.js';
import { StreamSlots } from '../../conversations/stream-slots.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { Draining } from '../../platform/lifecycle/draining.js';
import { runInContext, RequestContext } from '../../platform/tracing/request-context.js';
import { ProviderRegistry } from '../../providers/provider-registry.js';
import type { ProviderCall } from '../../providers/resilience/provider-call.js';
import type { OwnedStream, OwnStream } from '../log/stream.rows.js';
import { RunnerServices, StreamRunner } from './stream-runner.js';

/** The part of the shutdown grace that is kept for handing over; as much again is kept for what the process does after it. */
const RELEASE_MS = 2000;

interface Run {
  /** Null while the stream's row is read. */
  runner: StreamRunner | null;
  done: Promise<void>;
}

/** The answers that this node produces. */
@Injectable()
export class StreamRunners {
  private readonly logger = new Logger(StreamRunners.name);
  private readonly running = new Map<string, Run>();
  private readonly handoverListeners: (() => Promise<void>)[] = [];
  private leaving = false;

  constructor(
    private readonly services: RunnerServices,
    private readonly providers: ProviderRegistry,
    private readonly slots: StreamSlots,
    private readonly draining: Draining,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    services.metrics.countRunning = () => this.size;
  }

  get size(): number {
    return this.running.size;
  }

  /** How many more answers this node may produce; none when it is leaving. */
  get freeSlots(): number {
    return this.isLeaving ? 0 : this.slots.free();
  }

  /** Whether this process is shutting down: it claims no streams, and viewers should read from another node. */
  get isLeaving(): boolean {
    return this.leaving || this.draining.active;
  }

  /** Returns the ids of the streams that run here. */
  ids(): string[] {
    return [...this.running.keys()];
  }

  has(streamId: string): boolean {
    return this.running.has(streamId);
  }

  /** Starts the answer of a stream in the background, if this node owns it and it was not started before. */
  start(streamId: string): void {
    if (!this.has(streamId)) this.track(streamId, this.services.prompts.findNew(streamId));
  }

  /** Continues a stream that this node has claimed, in the background. */
  adopt(row: OwnedStream): void {
    const old = this.running.get(row.id);
    old?.runner?.stop();
    this.track(
      row.id,
      (old?.done ?? Promise.resolve()).then(() => row),
    );
  }

  /** Counts a stream that was interrupted, and frees its slot if it does not run here. */
  onInterrupted(streamId: string): void {
    this.services.metrics.interrupted.inc();
    if (!this.has(streamId)) this.slots.release(streamId);
  }

  /** Applies the database's state of this node's streams to the runners of `streamIds`; stops those that it does not own. */
  reconcile(streamIds: readonly string[], own: readonly OwnStream[]): void {
    const owned = new Map(own.map((stream) => [stream.id, stream]));
    for (const id of streamIds) {
      const runner = this.running.get(id)?.runner;
      const state = owned.get(id);
      if (state?.epoch === runner?.epoch && state) runner?.apply(state);
      else runner?.stop();
    }
  }

  /** Adds a listener that {@link leave} awaits after each handover. */
  onHandover(listener: () => Promise<void>): void {
    this.handoverListeners.push(listener);
  }

  /**
   * Ends or hands over everything. While clients are still being disconnected all answers run on, and many end. Then the
   * answers that another process can continue are handed over at once. The others get most of the remaining grace to end, and
   * are handed over after it. Answers that start meanwhile are handed over as well.
   */
  async leave(): Promise<void> {
    const { draining } = this;
    const releaseMs = Math.min(RELEASE_MS, draining.graceLeftMs / 4);
    await this.idle(draining.spreadLeftMs);
    this.leaving = true;
    await this.handOver((runner) => runner.canHandOver, releaseMs);
    await this.idle(draining.graceLeftMs - 2 * releaseMs);
    await this.handOver(() => true, releaseMs);
  }

  /** Hands over the runs that `isDue` selects, and waits for them at most `ms`. */
  private async handOver(isDue: (runner: StreamRunner) => boolean, ms: number): Promise<void> {
    const due = [...this.running.values()].filter(({ runner }) => runner && isDue(runner));
    for (const { runner } of due) runner?.handOver();
    await withTimeout(allEnded(due), ms);
    await Promise.all(this.handoverListeners.map((listener) => listener()));
  }

  private track(streamId: string, row: Promise<OwnedStream | null>): void {
    this.slots.hold(streamId);
    const run: Run = { runner: null, done: Promise.resolve() };
    run.done = this.run(run, row)
      .catch((error: unknown) => this.logger.error('failed to start an answer', { streamId, error }))
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
    const call = this.providerCall(row);
    if (call instanceof DomainError) return this.fail(row, call);
    const runner = new StreamRunner(row, call, this.services, this.config);
    run.runner = runner;
    if (this.leaving && runner.canHandOver) runner.handOver();
    await runInContext(runner.context, () => runner.run());
  }

  /** Returns the call to the stream's provider, or an error where that provider is no longer configured. */
  private providerCall({ provider, model }: OwnedStream): ProviderCall | DomainError {
    try {
      return this.providers.call(provider, model);
    } catch (error) {
      if (error instanceof DomainError) return error;
      throw error;
    }
  }

  private async fail(row: OwnedStream, fault: DomainError): Promise<void> {
    const { id: streamId, epoch, lastSequence, options } = row;
    const error = new DomainError('provider_unavailable', fault.message).toWire(
      new RequestContext(options.work).id,
    );
    const ending = { streamId, owner: { epoch, lastSequence }, type: 'error', error } as const;
    await this.services.ender.end({ ...ending, visible: options.visible });
  }

  /** Waits until the present runs have ended, at most `ms`. */
  private idle(ms: number): Promise<boolean> {
    return withTimeout(allEnded([...this.running.values()]), ms);
  }
}

function allEnded(runs: readonly Run[]): Promise<unknown> {
  return Promise.all(runs.map(({ done }) => done));
}
