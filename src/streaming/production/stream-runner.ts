import { Injectable, Logger } from '@nestjs/common';
import { toDomainError } from '../../common/domain-error.js';
import type { Config } from '../../platform/config/config.js';
import { Relay } from '../../platform/relay/relay.js';
import type { StreamEvent } from '../../platform/relay/topics.js';
import { RequestContext } from '../../platform/tracing/request-context.js';
import { beginSpan, inSpan, type Span } from '../../platform/tracing/tracer.js';
import type { CancelReason } from '../../protocol/index.js';
import type { PromptMessage } from '../../providers/provider.js';
import type { ProviderCall } from '../../providers/resilience/provider-call.js';
import { ChunkLogStore } from '../log/chunk-log.store.js';
import { publishStarted } from '../log/stream-events.js';
import type { OwnedStream, PauseState } from '../log/stream.rows.js';
import { StreamMetrics, type StreamStats } from '../metrics/stream-metrics.js';
import { PauseGate } from './pause-gate.js';
import { PromptsStore } from './prompts.store.js';
import { StreamDeadlines } from './stream-deadlines.js';
import { StreamEnder } from './stream-ender.js';
import { assertContinuable, callSpan, openAnswer } from './stream-opening.js';
import { StreamPump } from './stream-pump.js';
import { FencedError, StreamWriter } from './stream-writer.js';

/** The services that runners share. */
@Injectable()
export class RunnerServices {
  constructor(
    readonly log: ChunkLogStore,
    readonly prompts: PromptsStore,
    readonly ender: StreamEnder,
    readonly relay: Relay,
    readonly metrics: StreamMetrics,
  ) {}
}

/** The settings that limit a runner. */
export type RunnerLimits = Pick<
  Config,
  | 'STREAM_TIMEOUT_MS'
  | 'LLM_FIRST_TOKEN_TIMEOUT_MS'
  | 'STREAM_MAX_PAUSE_MS'
  | 'STREAM_BUFFER_BYTES'
  | 'STREAM_DURABILITY'
  | 'STREAM_CONTINUE'
  | 'STREAM_MAX_CONTINUATIONS'
>;

type OwnEnding = Pick<
  Parameters<StreamEnder['end']>[0],
  'type' | 'usage' | 'error' | 'reason' | 'finishReason'
>;

const DATABASE_RETRY_MS = 30_000;
/** Created once: every answer is stopped when it is over, and an error's stack trace costs more than a chunk. */
const STOPPED = new DOMException('The answer was stopped.', 'AbortError');

/**
 * Produces one answer, from its beginning or from where its last owner left it: the provider's deltas become chunks,
 * logged before they are seen (P4), with one end (P5).
 *
 * @example
 * const runner = new StreamRunner(row, providers.call(row.provider, row.model), services, config);
 * await runner.run(); // the stream has ended, or another process owns it
 */
export class StreamRunner {
  private readonly logger = new Logger(StreamRunner.name);
  /** Context of the request that asked, on whichever node the answer is produced. */
  readonly context: RequestContext;
  private readonly span: Span | undefined;
  private readonly aborting = new AbortController();
  private readonly pump: StreamPump;
  private readonly writer: StreamWriter;
  private readonly gate: PauseGate;
  private readonly deadlines: StreamDeadlines;
  private readonly stats: StreamStats;
  private cancelledFor: CancelReason | undefined;
  private stopped = false;
  private handingOver = false;

  constructor(
    private readonly row: OwnedStream,
    private readonly call: ProviderCall,
    private readonly services: RunnerServices,
    private readonly limits: RunnerLimits,
  ) {
    const { chunkBytes, chunkDelayMs, visible, work } = row.options;
    const callerContext = new RequestContext(work);
    this.span = beginSpan('answer', { kind: 'internal', context: callerContext });
    this.context = this.span?.context ?? callerContext;
    const pause = { paused: row.status === 'paused', version: row.controlVersion };
    this.gate = new PauseGate(pause, (paused) => this.deadlines.apply(paused));
    this.deadlines = new StreamDeadlines({
      // An answer that shows nothing yet begins anew.
      leftMs: limits.STREAM_TIMEOUT_MS - (row.lastSequence < 0 ? 0 : row.livedMs),
      openingMs: limits.LLM_FIRST_TOKEN_TIMEOUT_MS,
      maxPauseMs: limits.STREAM_MAX_PAUSE_MS,
      onTimeout: () => this.abort('timeout'),
      onPauseEnd: () => this.endPause(),
    });
    this.stats = services.metrics.onStart(row.transport, row.epoch === 1);
    this.writer = new StreamWriter({
      streamId: row.id,
      epoch: row.epoch,
      log: services.log,
      nextSequence: row.lastSequence + 1,
      gate: this.gate,
      showFirst: limits.STREAM_DURABILITY === 'memory',
      retryForMs: DATABASE_RETRY_MS,
      keepBytes: limits.STREAM_BUFFER_BYTES,
      // A writer that failed needs no more text from the provider.
      onFailed: () => this.abort(),
      onShown: (chunk) => {
        if (visible)
          services.relay.publish('conversation', row.conversationId, { type: 'stream:chunk', chunk });
        this.stats.onChunkShown(chunk);
      },
    });
    const sizes = { chunkBytes, chunkDelayMs, bufferBytes: limits.STREAM_BUFFER_BYTES };
    this.pump = new StreamPump(this.writer, this.stats, sizes);
  }

  get epoch(): number {
    return this.row.epoch;
  }

  /** Whether another process could continue what this one has written. */
  get canHandOver(): boolean {
    const { STREAM_CONTINUE, STREAM_MAX_CONTINUATIONS } = this.limits;
    const isPossible = this.call.canContinue || this.writer.lastSequence <= 0;
    return STREAM_CONTINUE && this.row.recoveries < STREAM_MAX_CONTINUATIONS && isPossible;
  }

  /** Runs until the stream has ended, here or elsewhere, or was released. Never rejects. */
  async run(): Promise<void> {
    const stopListening = this.services.relay.subscribe('stream', this.row.id, (event) =>
      this.onEvent(event),
    );
    const removeWriter = this.services.ender.registerWriter(this.row.id, this.writer);
    this.deadlines.apply(this.gate.paused);
    try {
      await this.produce();
    } catch (error) {
      await this.conclude(error).catch((fault: unknown) => this.giveUp(fault));
    } finally {
      this.pump.stop();
      // The provider closes its connection.
      this.abort();
      this.deadlines.stop();
      this.stats.onStop();
      stopListening();
      this.writer.stop();
      await this.writer.quiet();
      removeWriter();
      this.span?.end();
    }
  }

  /** Applies a pause or resume. */
  apply(state: PauseState): void {
    this.gate.apply(state);
  }

  /** Stops at once and writes nothing more: the stream has ended, or another node owns it. */
  stop(): void {
    this.stopped = true;
    this.writer.stop();
    this.abort();
  }

  /** Stops, and releases the stream to another process. */
  handOver(): void {
    this.handingOver = true;
    // Ends the wait for the end of the pause.
    if (this.gate.paused) this.writer.stop();
    this.abort();
  }

  private onEvent(event: StreamEvent): void {
    if (event.type === 'ended') this.stop();
    else this.apply({ paused: event.type === 'paused', version: event.version });
  }

  private abort(reason?: CancelReason): void {
    this.cancelledFor ??= reason;
    this.aborting.abort(STOPPED);
  }

  private endPause(): void {
    const { id: streamId, options } = this.row;
    const pause = { streamId, version: this.gate.version, visible: options.visible };
    this.services.ender.endPause(pause, DATABASE_RETRY_MS).catch((error: unknown) => {
      this.logger.error('failed to end an overdue pause', { streamId, error });
    });
  }

  private async produce(): Promise<void> {
    const { row, services, call, limits } = this;
    const { log, metrics, relay } = services;
    publishStarted(relay, row);
    const continueFrom = row.lastSequence > 0 ? await log.text(row.id) : '';
    assertContinuable({ row, call, limits, metrics, continueFrom });
    const messages = row.prompt ?? (await services.prompts.of(row.id));
    const recorded = this.recordPrompt(messages);
    const { signal } = this.aborting;
    const request = { messages, signal, ...(continueFrom !== '' && { continueFrom }) };
    const ended = await inSpan(`chat ${row.model}`, callSpan(row, this.context), async (context) => {
      const { deltas, opening } = await openAnswer({ row, call, log }, { ...request, context });
      this.deadlines.begin();
      this.pump.add(opening);
      return this.pump.run(deltas, signal);
    });
    await recorded;
    // The provider counts only the part that it produced: the usage of a continued answer is estimated as a whole.
    await this.end({ type: 'complete', ...ended, ...(continueFrom !== '' && { usage: null }) });
  }

  /** Records the prompt's size. A failure makes the estimated usage too low, and does not end the answer. */
  private async recordPrompt(messages: readonly PromptMessage[]): Promise<void> {
    const { id: streamId } = this.row;
    const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
    await this.services.log.recordPrompt(streamId, bytes).catch((error: unknown) => {
      this.logger.warn('failed to record the size of a prompt', { streamId, error });
    });
  }

  /** Ends or releases the stream after an error, unless it has ended elsewhere. */
  private async conclude(thrown: unknown): Promise<void> {
    if (this.stopped) return;
    const error = this.writer.fault ?? thrown;
    if (error instanceof FencedError) return this.stats.onFenced();
    this.pump.flush();
    if (this.cancelledFor) return this.end({ type: 'cancelled', reason: this.cancelledFor });
    if (this.handingOver) return this.release();
    const fault = toDomainError(error);
    const { id: correlationId } = this.context;
    // The message may quote the provider, which may quote the prompt. Where it does, the cause has a message without it (P11).
    const logged = fault.cause instanceof Error ? fault.cause : fault;
    this.logger.warn('answer failed', { correlationId, streamId: this.row.id, code: fault.code }, logged);
    await this.end({ type: 'error', error: fault.toWire(correlationId) });
  }

  /** Ends the stream after all added chunks. A paused stream cannot be ended by its owner: this waits for the resume. */
  private async end(ending: OwnEnding): Promise<void> {
    const { id: streamId, epoch, options } = this.row;
    for (;;) {
      await this.writer.flushed();
      const owner = { epoch, lastSequence: this.writer.lastSequence };
      const whole = { streamId, visible: options.visible, owner, ...ending };
      const { outcome } = await this.services.ender.end(whole, DATABASE_RETRY_MS);
      if (outcome !== 'fenced') return;
      await this.writer.restore();
    }
  }

  private async release(): Promise<void> {
    // Text that was read ahead of a paused stream is not in the log and must not enter it.
    if (!this.gate.paused) await this.writer.flushed();
    await this.services.ender.release(this.row);
  }

  /** Releases the stream where that was due, after neither end nor release worked. */
  private async giveUp(fault: unknown): Promise<void> {
    if (fault instanceof FencedError || this.stopped) return;
    try {
      if (this.handingOver) return await this.services.ender.release(this.row);
      throw fault;
    } catch (error) {
      // The node's next comparison with the database interrupts the stream, since nothing runs it.
      this.logger.error('failed to end a stream', { streamId: this.row.id, error });
    }
  }
}
