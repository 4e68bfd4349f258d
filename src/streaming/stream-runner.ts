import { Logger } from '@nestjs/common';
import { toDomainError } from '../common/domain-error.js';
import type { CancelReason, Usage } from '../protocol/index.js';
import type { Provider } from '../providers/provider.js';
import type { Relay } from '../relay/relay.js';
import type { ChunkLogStore } from './chunk-log.store.js';
import { Chunker, type Draft } from './chunker.js';
import { promptBytes, type PromptBuilder } from './prompt.js';
import type { StreamEnder } from './stream-ender.js';
import { toState, type StreamRow } from './stream.rows.js';
import { FencedError, StreamWriter } from './stream-writer.js';
import type { StreamsStore } from './streams.store.js';

/** What a runner works with. */
export interface RunnerTools {
  log: ChunkLogStore;
  streams: StreamsStore;
  prompts: PromptBuilder;
  ender: StreamEnder;
  relay: Relay;
}

export interface RunnerLimits {
  timeoutMs: number;
  bufferBytes: number;
}

const DATABASE_PATIENCE_MS = 30_000;

/** Produces one answer: the provider's deltas become chunks, logged before they are seen (P4), with one end (P5). */
export class StreamRunner {
  private readonly logger = new Logger(StreamRunner.name);
  private readonly aborting = new AbortController();
  private readonly chunker: Chunker;
  private readonly writer: StreamWriter;
  private due: NodeJS.Timeout | undefined;
  private cancelledFor: CancelReason | undefined;

  constructor(
    private readonly row: StreamRow,
    private readonly provider: Provider,
    private readonly tools: RunnerTools,
    private readonly limits: RunnerLimits,
  ) {
    const { chunkBytes, chunkDelayMs, visible } = row.options;
    this.chunker = new Chunker({ maxBytes: chunkBytes, maxDelayMs: chunkDelayMs });
    this.writer = new StreamWriter({
      streamId: row.id,
      epoch: row.epoch,
      log: tools.log,
      nextSequence: row.last_sequence + 1,
      patienceMs: DATABASE_PATIENCE_MS,
      keepBytes: limits.bufferBytes,
      onLogged: (chunk) => {
        if (visible)
          tools.relay.publish('conversation', row.conversation_id, { type: 'stream:chunk', chunk });
      },
    });
  }

  /** Runs until the stream has ended, here or elsewhere. Never rejects. */
  async run(): Promise<void> {
    const stopListening = this.tools.relay.subscribe('stream', this.row.id, () => this.abort());
    const timeout = setTimeout(() => this.abort('timeout'), this.limits.timeoutMs);
    try {
      await this.produce();
    } catch (error) {
      await this.fail(error);
    } finally {
      clearTimeout(timeout);
      clearTimeout(this.due);
      stopListening();
      this.writer.stop();
    }
  }

  /** Stops reading the provider, at once. With a reason, the stream is then cancelled for it; without, it has ended elsewhere. */
  abort(reason?: CancelReason): void {
    this.cancelledFor ??= reason;
    const error = new DOMException('The answer was stopped.', 'AbortError');
    this.aborting.abort(error);
  }

  private async produce(): Promise<void> {
    const { row, tools } = this;
    if (row.options.visible) {
      const stream = toState(row);
      tools.relay.publish('conversation', row.conversation_id, { type: 'stream:started', stream });
    }
    this.writer.add(this.opening());
    const messages = await tools.prompts.build(
      row.conversation_id,
      row.reply_to.seq,
      row.options.includeContext,
    );
    const noted = tools.streams.setPromptBytes(row.id, promptBytes(messages));
    const usage = await this.pump(
      this.provider.stream({ model: row.model, messages, signal: this.aborting.signal }),
    );
    await Promise.all([noted, this.writer.flushed()]);
    await this.end({ type: 'complete', usage });
  }

  private opening(): Draft {
    const {
      id: streamId,
      conversation_id: conversationId,
      message_id: messageId,
      reply_to: replyTo,
    } = this.row;
    const { provider, model } = this.row;
    const metadata = { streamId, conversationId, messageId, replyTo, provider, model };
    return { type: 'metadata', content: '', metadata };
  }

  /** Reads the provider to its end, no faster than the log takes it; gives the usage it reported. */
  private async pump(deltas: ReturnType<Provider['stream']>): Promise<Usage | null> {
    let usage: Usage | null = null;
    for await (const delta of deltas) {
      this.aborting.signal.throwIfAborted();
      if (delta.type === 'finish') {
        usage = delta.usage && { ...delta.usage, source: 'provider' };
        break;
      }
      this.add(this.chunker.push(delta.type, delta.text, performance.now()));
      this.armTimer();
      while (this.writer.buffered > this.limits.bufferBytes) await this.writer.progress();
    }
    this.aborting.signal.throwIfAborted();
    this.add(this.chunker.flush());
    return usage;
  }

  private add(drafts: readonly Draft[]): void {
    for (const draft of drafts) this.writer.add(draft);
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

  /** Ends the stream for `error`, unless it has ended elsewhere. What is not in the log by now never was. */
  private async fail(error: unknown): Promise<void> {
    if (error instanceof FencedError || (this.aborting.signal.aborted && !this.cancelledFor)) return;
    try {
      this.add(this.chunker.flush());
      await this.writer.flushed();
      if (this.cancelledFor) return await this.end({ type: 'cancelled', reason: this.cancelledFor });
      const fault = toDomainError(error);
      this.logger.warn(`stream ${this.row.id} failed: ${fault.message} ${String(fault.cause ?? '')}`);
      await this.end({ type: 'error', error: fault.toWire(this.row.id) });
    } catch (fault) {
      if (!(fault instanceof FencedError)) {
        this.logger.error(`stream ${this.row.id} could not be ended: ${String(fault)}`);
      }
    }
  }

  private async end(ending: Pick<Parameters<StreamEnder['end']>[0], 'type' | 'usage' | 'error' | 'reason'>) {
    const owner = { epoch: this.row.epoch, lastSequence: this.writer.lastSequence };
    const { visible } = this.row.options;
    await this.tools.ender.end({ streamId: this.row.id, visible, owner, ...ending });
  }
}
