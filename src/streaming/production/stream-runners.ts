import { Inject, Injectable, Logger } from '@nestjs/common';
import { withTimeout } from '../../common/deadline.js';
import { DomainError } from '../../common/domain-error.js';
import { runInContext, RequestContext } from '../../platform/tracing/request-context.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { StreamSlots } from '../../conversations/stream-slots.js';
import { ProviderRegistry } from '../../providers/provider-registry.js';
import type { ProviderCall } from '../../providers/resilience/provider-call.js';
import type { OwnStream } from '../ownership/nodes.store.js';
import { RunnerTools } from './runner-tools.js';
import { StreamRunner } from './stream-runner.js';
import type { OwnedStream } from '../log/stream.rows.js';

/** Of the time for leaving, what is kept for handing over, and as much for what the process does after it. */
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
    private readonly providers: ProviderRegistry,
    private readonly slots: StreamSlots,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    tools.metrics.countRunning = () => this.size;
  }

  get size(): number {
    return this.running.size;
  }

  /** How many more answers this node may take; none when it is leaving. */
  get room(): number {
    return this.isLeaving ? 0 : this.slots.free();
  }

  /** Whether this process is leaving: it takes over nothing, and nobody should begin to read here. */
  get isLeaving(): boolean {
    return this.leaving || this.tools.draining.active;
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
    if (!this.has(streamId)) this.track(streamId, this.tools.prompts.findNew(streamId));
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

  /** Names what {@link leave} does whenever something was handed over: with what is not produced here any more. */
  whenHandedOver(act: () => Promise<void>): void {
    this.farewells.push(act);
  }

  /**
   * Lets everything run on while clients are still being sent away: many an answer ends. Then hands over at once what
   * another process can continue, gives the rest most of what is left of the grace to end, and hands that over too. What
   * begins meanwhile is handed over as well.
   */
  async leave(): Promise<void> {
    const { draining } = this.tools;
    const releaseMs = Math.min(RELEASE_MS, draining.graceLeftMs / 4);
    await this.idle(draining.spreadLeftMs);
    this.leaving = true;
    await this.handOver((runner) => runner.canHandOver, releaseMs);
    await this.idle(draining.graceLeftMs - 2 * releaseMs);
    await this.handOver(() => true, releaseMs);
  }

  /** Waits until it is done, at most `ms`. */
  private async handOver(isDue: (runner: StreamRunner) => boolean, ms: number): Promise<void> {
    const due = [...this.running.values()].filter(({ runner }) => runner && isDue(runner));
    for (const { runner } of due) runner?.handOver();
    await withTimeout(allEnded(due), ms);
    await Promise.all(this.farewells.map((act) => act()));
  }

  private track(streamId: string, row: Promise<OwnedStream | null>): void {
    this.slots.hold(streamId);
    const run: Run = { runner: null, done: Promise.resolve() };
    run.done = this.run(run, row)
      .catch((error: unknown) => this.logger.error('an answer was not begun', { streamId }, error))
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
    const source = this.sourceOf(row);
    if (source instanceof DomainError) return this.refuse(row, source);
    const runner = new StreamRunner(row, source, this.tools, this.config);
    run.runner = runner;
    if (this.leaving && runner.canHandOver) runner.handOver();
    await runInContext(runner.context, () => runner.run());
  }

  /** Who gives the answer; an error where that provider is not configured any more. */
  private sourceOf({ provider, model }: OwnedStream): ProviderCall | DomainError {
    try {
      return this.providers.call(provider, model);
    } catch (error) {
      if (error instanceof DomainError) return error;
      throw error;
    }
  }

  private async refuse(row: OwnedStream, fault: DomainError): Promise<void> {
    const { id: streamId, epoch, last_sequence: lastSequence, options } = row;
    const error = new DomainError('provider_unavailable', fault.message).toWire(
      new RequestContext(options.work).id,
    );
    const ending = { streamId, owner: { epoch, lastSequence }, type: 'error', error } as const;
    await this.tools.ender.end({ ...ending, visible: options.visible });
  }

  /** Waits until nothing runs, at most `ms`. */
  private idle(ms: number): Promise<boolean> {
    return withTimeout(allEnded([...this.running.values()]), ms);
  }
}

function allEnded(runs: readonly Run[]): Promise<unknown> {
  return Promise.all(runs.map(({ done }) => done));
}
