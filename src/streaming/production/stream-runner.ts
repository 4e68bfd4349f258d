import { Logger } from '@nestjs/common';
import { toDomainError } from '../../common/domain-error.js';
import { beginSpan, inSpan, type Span } from '../../platform/tracing/tracer.js';
import { RequestContext } from '../../platform/tracing/request-context.js';
import type { Config } from '../../platform/config/config.js';
import type { CancelReason } from '../../protocol/index.js';
import type { ProviderCall } from '../../providers/resilience/provider-call.js';
import type { StreamEvent } from '../../platform/relay/topics.js';
import { assertContinuable } from './continuation.js';
import { PauseGate, type PauseState } from '../control/pause-gate.js';
import { promptBytes } from './prompt.js';
import type { RunnerTools } from './runner-tools.js';
import type { StreamEnder } from './stream-ender.js';
import type { StreamStats } from '../metrics/stream-metrics.js';
import { callSpan, openAnswer, publishBeginning } from './stream-opening.js';
import { StreamPump } from './stream-pump.js';
import { publishStatus } from '../log/stream-status.js';
import { StreamDeadlines } from './stream-deadlines.js';
import type { OwnedStream } from '../log/stream.rows.js';
import { FencedError, StreamWriter } from './stream-writer.js';

/** The part of the configuration that a runner obeys. */
export type RunnerLimits = Pick<
  Config,
  | 'STREAM_TIMEOUT_MS'
  | 'STREAM_MAX_PAUSE_MS'
  | 'STREAM_BUFFER_BYTES'
  | 'STREAM_DURABILITY'
  | 'STREAM_CONTINUE'
  | 'STREAM_MAX_CONTINUATIONS'
>;

type OwnEnding = Pick<Parameters<StreamEnder['end']>[0], 'type' | 'usage' | 'error' | 'reason'>;

const DATABASE_PATIENCE_MS = 30_000;
/** Made once: every answer is stopped when it is over, and the stack of an error costs more than a chunk. */
const STOPPED = new DOMException('The answer was stopped.', 'AbortError');

/**
 * Produces one answer, from its beginning or from where its last owner left it: the provider's deltas become chunks,
 * logged before they are seen (P4), with one end (P5).
 */
export class StreamRunner {
  private readonly logger = new Logger(StreamRunner.name);
  /** Under this name it is produced, wherever and however often. */
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
  private leaving = false;

  constructor(
    private readonly row: OwnedStream,
    private readonly call: ProviderCall,
    private readonly tools: RunnerTools,
    private readonly limits: RunnerLimits,
  ) {
    const { chunkBytes, chunkDelayMs, visible, work } = row.options;
    const callerContext = new RequestContext(work);
    this.span = beginSpan('answer', { kind: 'internal', context: callerContext });
    this.context = this.span?.context ?? callerContext;
    const pause = { paused: row.status === 'paused', version: row.control_version };
    this.gate = new PauseGate(pause, (paused) => this.deadlines.follow(paused));
    this.deadlines = new StreamDeadlines({
      leftMs: limits.STREAM_TIMEOUT_MS - row.lived_ms,
      maxPauseMs: limits.STREAM_MAX_PAUSE_MS,
      onTimeout: () => this.abort('timeout'),
      onPauseEnd: () => this.endPause(),
    });
    this.stats = tools.metrics.begin(row.transport, row.epoch === 1);
    this.writer = new StreamWriter({
      streamId: row.id,
      epoch: row.epoch,
      log: tools.log,
      nextSequence: row.last_sequence + 1,
      gate: this.gate,
      showFirst: limits.STREAM_DURABILITY === 'memory',
      patienceMs: DATABASE_PATIENCE_MS,
      keepBytes: limits.STREAM_BUFFER_BYTES,
      // Who may not write does not read either.
      onFailed: () => this.abort(),
      onShown: (chunk) => {
        if (visible)
          tools.relay.publish('conversation', row.conversation_id, { type: 'stream:chunk', chunk });
        this.stats.shown(chunk);
      },
    });
    const sizes = { chunkBytes, chunkDelayMs, bufferBytes: limits.STREAM_BUFFER_BYTES };
    this.pump = new StreamPump(this.writer, this.stats, sizes);
  }

  get epoch(): number {
    return this.row.epoch;
  }

  /** Whether another process could go on with what this one has written. */
  get canHandOver(): boolean {
    const { STREAM_CONTINUE, STREAM_MAX_CONTINUATIONS } = this.limits;
    const isPossible = this.call.canContinue || this.writer.lastSequence <= 0;
    return STREAM_CONTINUE && this.row.recoveries < STREAM_MAX_CONTINUATIONS && isPossible;
  }

  /** Runs until the stream has ended, here or elsewhere, or was given up. Never rejects. */
  async run(): Promise<void> {
    const stopListening = this.tools.relay.subscribe('stream', this.row.id, (event) => this.hear(event));
    const stopHeeding = this.tools.ender.heed(this.row.id, this.writer);
    this.deadlines.follow(this.gate.paused);
    try {
      await this.produce();
    } catch (error) {
      await this.conclude(error).catch((fault: unknown) => this.giveUp(fault));
    } finally {
      this.pump.stop();
      // Who was asked and is not read any more hears of it.
      this.abort();
      this.deadlines.stop();
      this.stats.stop();
      stopListening();
      this.writer.stop();
      await this.writer.quiet();
      stopHeeding();
      this.span?.end();
    }
  }

  /** Takes what the database says of the stream's pause. */
  obey(state: PauseState): void {
    this.gate.hear(state);
  }

  /** The stream is not this node's any more, or has ended: stops at once and writes nothing more. */
  stop(): void {
    this.stopped = true;
    this.writer.stop();
    this.abort();
  }

  /** Stops, and leaves the stream to another process. */
  handOver(): void {
    this.leaving = true;
    // Ends a wait for the end of the pause.
    if (this.gate.paused) this.writer.stop();
    this.abort();
  }

  private hear(event: StreamEvent): void {
    if (event.type === 'ended') this.stop();
    else this.obey({ paused: event.type === 'paused', version: event.version });
  }

  private abort(reason?: CancelReason): void {
    this.cancelledFor ??= reason;
    this.aborting.abort(STOPPED);
  }

  private endPause(): void {
    const { id: streamId, options } = this.row;
    const pause = { streamId, version: this.gate.version, visible: options.visible };
    this.tools.ender.endPause(pause, DATABASE_PATIENCE_MS).catch((error: unknown) => {
      this.logger.error(`the pause of stream ${streamId} was not ended: ${String(error)}`);
    });
  }

  private async produce(): Promise<void> {
    const { row, tools, call } = this;
    publishBeginning(tools.relay, row);
    const continueFrom = row.last_sequence > 0 ? await tools.log.text(row.id) : '';
    assertContinuable({ row, provider: call, limits: this.limits, metrics: tools.metrics, continueFrom });
    const messages = row.prompt ?? (await tools.prompts.of(row.id));
    const noted = this.notePrompt(promptBytes(messages));
    const { signal } = this.aborting;
    const request = { messages, signal, ...(continueFrom !== '' && { continueFrom }) };
    const answer = { row, call, states: tools.states };
    const usage = await inSpan(`chat ${row.model}`, callSpan(row, this.context), async (context) => {
      const { deltas, opening } = await openAnswer(answer, { ...request, context });
      this.pump.add(opening);
      return this.pump.run(deltas, signal);
    });
    await noted;
    // Of a continued answer the provider has counted a part only: the whole is estimated.
    await this.end({ type: 'complete', usage: continueFrom === '' ? usage : null });
  }

  /** Without it the estimated usage is too low, which ends no answer. */
  private async notePrompt(bytes: number): Promise<void> {
    const { id } = this.row;
    await this.tools.log.notePrompt(id, bytes).catch((error: unknown) => {
      this.logger.warn(`the prompt of stream ${id} was not noted: ${String(error)}`);
    });
  }

  /** Ends or gives up the stream for `error`, unless it has ended elsewhere. What is not in the log by now never was. */
  private async conclude(thrown: unknown): Promise<void> {
    if (this.stopped) return;
    const error = this.writer.fault ?? thrown;
    if (error instanceof FencedError) return this.stats.fence();
    this.pump.flush();
    if (this.cancelledFor) return this.end({ type: 'cancelled', reason: this.cancelledFor });
    if (this.leaving) return this.release();
    const fault = toDomainError(error);
    const { id: correlationId } = this.context;
    // A message may quote the provider, and it the prompt; where it does, the cause says the same without (P11).
    const logged = fault.cause instanceof Error ? fault.cause : fault;
    this.logger.warn('an answer failed', { correlationId, streamId: this.row.id, code: fault.code }, logged);
    await this.end({ type: 'error', error: fault.toWire(correlationId) });
  }

  /** Ends the stream behind all that was added. While it is paused nothing enters its log: then it waits. */
  private async end(ending: OwnEnding): Promise<void> {
    const { id: streamId, epoch, options } = this.row;
    for (;;) {
      await this.writer.flushed();
      const owner = { epoch, lastSequence: this.writer.lastSequence };
      const whole = { streamId, visible: options.visible, owner, ...ending };
      const { outcome } = await this.tools.ender.end(whole, DATABASE_PATIENCE_MS);
      if (outcome !== 'fenced') return;
      await this.writer.restore();
    }
  }

  private async release(): Promise<void> {
    // What was read ahead of a paused stream is not in the log, and cannot go there.
    if (!this.gate.paused) await this.writer.flushed();
    await this.letGo();
  }

  private async letGo(): Promise<void> {
    const { id, epoch } = this.row;
    const released = await this.tools.states.release(id, epoch);
    if (released?.status !== 'interrupted') return;
    const { status, lastSequence } = released;
    publishStatus(this.tools.relay, this.row, { status, lastSequence, reason: 'handover' });
  }

  /** The stream could be neither ended nor released. */
  private async giveUp(fault: unknown): Promise<void> {
    if (fault instanceof FencedError || this.stopped) return;
    try {
      if (this.leaving) return await this.letGo();
      throw fault;
    } catch (error) {
      // The node's own look at its streams finds that nobody runs it.
      this.logger.error(`stream ${this.row.id} could not be ended: ${String(error)}`);
    }
  }
}
