import { Logger } from '@nestjs/common';
import { DomainError, toDomainError } from '../common/domain-error.js';
import type { Config } from '../config/config.js';
import { LIMITS, type CancelReason, type Usage } from '../protocol/index.js';
import type { Provider } from '../providers/provider.js';
import type { StreamEvent } from '../relay/topics.js';
import { Chunker, type Draft } from './chunker.js';
import { assertContinuable } from './continuation.js';
import { PauseGate, type PauseState } from './pause-gate.js';
import { promptBytes } from './prompt.js';
import type { RunnerTools } from './runner-tools.js';
import type { StreamEnder } from './stream-ender.js';
import type { StreamMeter } from './stream-metrics.js';
import { openingOf, tellBeginning } from './stream-opening.js';
import { tellStatus } from './stream-status.js';
import { StreamTime } from './stream-time.js';
import type { OwnedStream } from './stream.rows.js';
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

/**
 * Produces one answer, from its beginning or from where its last owner left it: the provider's deltas become chunks,
 * logged before they are seen (P4), with one end (P5).
 */
export class StreamRunner {
  private readonly logger = new Logger(StreamRunner.name);
  private readonly aborting = new AbortController();
  private readonly chunker: Chunker;
  private readonly writer: StreamWriter;
  private readonly gate: PauseGate;
  private readonly time: StreamTime;
  private readonly meter: StreamMeter;
  private due: NodeJS.Timeout | undefined;
  private cancelledFor: CancelReason | undefined;
  private stopped = false;
  private leaving = false;

  constructor(
    private readonly row: OwnedStream,
    private readonly provider: Provider,
    private readonly tools: RunnerTools,
    private readonly limits: RunnerLimits,
  ) {
    const { chunkBytes, chunkDelayMs, visible } = row.options;
    this.chunker = new Chunker({ maxBytes: chunkBytes, maxDelayMs: chunkDelayMs });
    const pause = { paused: row.status === 'paused', version: row.control_version };
    this.gate = new PauseGate(pause, (paused) => this.time.follow(paused));
    this.time = new StreamTime({
      leftMs: limits.STREAM_TIMEOUT_MS - row.lived_ms,
      maxPauseMs: limits.STREAM_MAX_PAUSE_MS,
      onTimeout: () => this.abort('timeout'),
      onPauseEnd: () => this.endPause(),
    });
    this.meter = tools.metrics.begin(row.transport, row.epoch === 1);
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
        this.meter.shown(chunk);
      },
    });
  }

  get epoch(): number {
    return this.row.epoch;
  }

  /** Whether another process could go on with what this one has written. */
  get canHandOver(): boolean {
    const { STREAM_CONTINUE, STREAM_MAX_CONTINUATIONS } = this.limits;
    const isPossible = this.provider.canContinue || this.writer.lastSequence <= 0;
    return STREAM_CONTINUE && this.row.recoveries < STREAM_MAX_CONTINUATIONS && isPossible;
  }

  /** Runs until the stream has ended, here or elsewhere, or was given up. Never rejects. */
  async run(): Promise<void> {
    const stopListening = this.tools.relay.subscribe('stream', this.row.id, (event) => this.hear(event));
    this.time.follow(this.gate.paused);
    try {
      await this.produce();
    } catch (error) {
      await this.conclude(error).catch((fault: unknown) => this.giveUp(fault));
    } finally {
      clearTimeout(this.due);
      this.time.stop();
      this.meter.stop();
      stopListening();
      this.writer.stop();
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
    const error = new DOMException('The answer was stopped.', 'AbortError');
    this.aborting.abort(error);
  }

  private endPause(): void {
    const { id: streamId, options } = this.row;
    const pause = { streamId, version: this.gate.version, visible: options.visible };
    this.tools.ender.endPause(pause, DATABASE_PATIENCE_MS).catch((error: unknown) => {
      this.logger.error(`the pause of stream ${streamId} was not ended: ${String(error)}`);
    });
  }

  private async produce(): Promise<void> {
    const { row, tools, provider } = this;
    tellBeginning(tools.relay, row);
    if (row.last_sequence < 0) this.add([openingOf(row)]);
    const continueFrom = row.last_sequence > 0 ? await tools.log.text(row.id) : '';
    assertContinuable({ row, provider, limits: this.limits, metrics: tools.metrics, continueFrom });
    const { conversation_id: conversationId, reply_to: question, options } = row;
    const messages = await tools.prompts.build(conversationId, question.seq, options.includeContext);
    const noted = this.notePrompt(promptBytes(messages));
    const request = { model: row.model, messages, signal: this.aborting.signal };
    const usage = await this.pump(
      provider.stream({ ...request, ...(continueFrom !== '' && { continueFrom }) }),
    );
    await noted;
    // Of a continued answer the provider has counted a part only: the whole is estimated.
    await this.end({ type: 'complete', usage: continueFrom === '' ? usage : null });
  }

  /** Without it the estimated usage is too low, which ends no answer. */
  private async notePrompt(bytes: number): Promise<void> {
    const { id } = this.row;
    await this.tools.states.setPromptBytes(id, bytes).catch((error: unknown) => {
      this.logger.warn(`the prompt of stream ${id} was not noted: ${String(error)}`);
    });
  }

  /** Reads the provider to its end, no faster than the log takes it; gives the usage it reported. */
  private async pump(deltas: ReturnType<Provider['stream']>): Promise<Usage | null> {
    const { signal } = this.aborting;
    let usage: Usage | null = null;
    let length = 0;
    for await (const delta of deltas) {
      signal.throwIfAborted();
      if (delta.type === 'finish') {
        usage = delta.usage && { ...delta.usage, source: 'provider' };
        break;
      }
      length += delta.text.length;
      if (length > LIMITS.answerChars) throw tooLong();
      this.add(this.chunker.push(delta.type, delta.text, performance.now()));
      this.armTimer();
      while (this.writer.buffered > this.limits.STREAM_BUFFER_BYTES) await this.writer.progress(signal);
    }
    signal.throwIfAborted();
    this.add(this.chunker.flush());
    return usage;
  }

  private add(drafts: readonly Draft[]): void {
    for (const draft of drafts) {
      this.meter.cut();
      this.writer.add(draft);
    }
  }

  private armTimer(): void {
    clearTimeout(this.due);
    const { dueAt } = this.chunker;
    if (dueAt === null) return;
    this.due = setTimeout(
      () => this.add(this.chunker.takeDue(Infinity)),
      Math.max(0, dueAt - performance.now()),
    );
  }

  /** Ends or gives up the stream for `error`, unless it has ended elsewhere. What is not in the log by now never was. */
  private async conclude(thrown: unknown): Promise<void> {
    if (this.stopped) return;
    const error = this.writer.fault ?? thrown;
    if (error instanceof FencedError) return this.meter.fence();
    this.add(this.chunker.flush());
    if (this.cancelledFor) return this.end({ type: 'cancelled', reason: this.cancelledFor });
    if (this.leaving) return this.release();
    const fault = toDomainError(error);
    const cause = fault.cause instanceof Error ? fault.cause.message : '';
    this.logger.warn(`stream ${this.row.id} failed: ${fault.message} ${cause}`);
    await this.end({ type: 'error', error: fault.toWire(this.row.id) });
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
    tellStatus(this.tools.relay, this.row, { status, lastSequence, reason: 'handover' });
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

function tooLong(): DomainError {
  const message = 'The provider does not come to an end: the answer is longer than any message may be.';
  return new DomainError('provider_error', message, { retryable: false });
}
