import { Inject, Injectable } from '@nestjs/common';
import type { Principal } from '../auth/principal.js';
import { newId } from '../common/ids.js';
import type { AnswerRequest } from '../conversations/append.store.js';
import { MessagesService } from '../conversations/messages.service.js';
import { CONFIG, type Config } from '../platform/config/config.js';
import { RateLimits } from '../platform/limits/rate-limits.js';
import type { RequestContext } from '../platform/tracing/request-context.js';
import type { SendPayload, SendResult, StreamTransport } from '../protocol/index.js';
import { ProviderRegistry } from '../providers/provider-registry.js';
import type { StreamOptions } from './log/stream.entity.js';
import { StreamRunners } from './production/stream-runners.js';

/** A message, with the options of its answer. */
interface Question extends SendPayload {
  chunkSize?: number;
  chunkDelayMs?: number;
}

interface Origin {
  transport: StreamTransport;
  /** Context of the event or request that asks. */
  context: RequestContext;
  /** Connection whose ack will carry the question. */
  origin?: string;
}

/** Sends messages and starts their answers. */
@Injectable()
export class StreamingService {
  constructor(
    private readonly messages: MessagesService,
    private readonly providers: ProviderRegistry,
    private readonly runners: StreamRunners,
    private readonly limits: RateLimits,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /**
   * Sends a message and, unless `respond` is false, starts to produce its answer. A result with `streamId` means that the
   * stream exists and will end (P2).
   * @throws {DomainError} as `MessagesService.send`; `rate_limited`; `invalid_payload` for an unknown provider or model.
   */
  async send(sender: Principal, question: Question, origin: Origin): Promise<SendResult> {
    const { conversationId, clientMessageId, content, metadata } = question;
    const answer = question.respond === false ? undefined : this.answerRequest(question, origin);
    const { context, origin: connectionId } = origin;
    const message = { conversationId, clientMessageId, content, metadata, answer, context };
    const send = (): Promise<SendResult> => this.messages.send(sender, { ...message, origin: connectionId });
    if (!answer) return send();
    const sent = await this.counted(sender.userId, send);
    // Also for a repeat: the first may have been committed by a process that died before it started the answer.
    if (sent.streamId !== undefined) this.runners.start(sent.streamId);
    return sent;
  }

  /** @throws {DomainError} `invalid_payload` for a provider or model that is not offered. */
  private answerRequest(question: Question, { transport, context }: Origin): AnswerRequest {
    const { provider, model } = this.providers.resolve(question.provider, question.model);
    const options: StreamOptions = {
      includeContext: question.includeContext ?? true,
      visible: question.stream ?? true,
      chunkBytes: question.chunkSize ?? this.config.STREAM_CHUNK_BYTES,
      chunkDelayMs: question.chunkDelayMs ?? this.config.STREAM_CHUNK_DELAY_MS,
      work: context.name,
    };
    const ids = { streamId: newId(), messageId: newId() };
    return { ...ids, provider: provider.name, model, transport, options: { ...options } };
  }

  /** Sends within the rate limit. A send that starts nothing, a repeat or a refusal, is given back. */
  private async counted(userId: string, send: () => Promise<SendResult>): Promise<SendResult> {
    const { streams } = this.limits;
    await streams.consume(userId);
    let started = false;
    try {
      const sent = await send();
      started = !sent.duplicate;
      return sent;
    } finally {
      if (!started) await streams.refund(userId);
    }
  }
}
