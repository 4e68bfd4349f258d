import { Injectable } from '@nestjs/common';
import type { Principal } from '../auth/principal.js';
import type { RequestContext } from '../platform/tracing/request-context.js';
import { MessagesService } from '../conversations/messages.service.js';
import { RateLimits } from '../platform/limits/rate-limits.js';
import type { ControlResult, SendResult, StreamTransport } from '../protocol/index.js';
import { AnswerRequests, type Question } from './production/answer-requests.js';
import { StreamAccess } from './stream-access.js';
import { StreamControls } from './control/stream-controls.js';
import { StreamRunners } from './production/stream-runners.js';
import type { StreamRow } from './log/stream.rows.js';

interface Asked {
  transport: StreamTransport;
  /** The event or request that asks. */
  context: RequestContext;
  /** Connection whose acknowledgement will carry the question. */
  origin?: string;
}

/** Questions and their answers: asks, and controls what is being produced. */
@Injectable()
export class StreamingService {
  constructor(
    private readonly messages: MessagesService,
    private readonly answers: AnswerRequests,
    private readonly runners: StreamRunners,
    private readonly controls: StreamControls,
    private readonly access: StreamAccess,
    private readonly limits: RateLimits,
  ) {}

  /**
   * Sends a message and, where it asks for an answer, begins to produce it: an answer with `streamId` means that the
   * stream exists and will end (P2).
   * @throws {DomainError} as `MessagesService.send`, `AnswerRequests.of`, and `rate_limited`.
   */
  async send(
    sender: Principal,
    question: Question,
    { transport, origin, context }: Asked,
  ): Promise<SendResult> {
    const { conversationId, clientMessageId, content, metadata } = question;
    const answer = question.respond === false ? undefined : this.answers.of(question, { transport, context });
    const message = { conversationId, clientMessageId, content, metadata, answer, origin, context };
    if (!answer) return this.messages.send(sender, message);
    const sent = await this.counted(sender.userId, () => this.messages.send(sender, message));
    // Also a repeat's: the first may have been committed without its sender, or this node, having heard of it.
    if (sent.streamId !== undefined) this.runners.start(sent.streamId);
    return sent;
  }

  /** What starts nothing, a repeat or a refusal, does not count in the end. */
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

  /** @throws {DomainError} as `StreamControls.pause`. */
  pause(principal: Principal, streamId: string): Promise<ControlResult> {
    return this.controls.pause(principal, streamId);
  }

  /** @throws {DomainError} as `StreamControls.resume`. */
  resume(principal: Principal, streamId: string): Promise<ControlResult> {
    return this.controls.resume(principal, streamId);
  }

  /** @throws {DomainError} as `StreamControls.cancel`. */
  cancel(principal: Principal, streamId: string): Promise<ControlResult> {
    return this.controls.cancel(principal, streamId);
  }

  /** @throws {DomainError} as `StreamAccess.readable`. */
  readable(principal: Principal, streamId: string): Promise<StreamRow> {
    return this.access.readable(principal, streamId);
  }

  /** @throws {DomainError} as `StreamAccess.visible`. */
  visible(principal: Principal, streamId: string): Promise<StreamRow> {
    return this.access.visible(principal, streamId);
  }

  /** As `StreamControls.continueInterrupted`. */
  continueInterrupted(streamId: string): Promise<void> {
    return this.controls.continueInterrupted(streamId);
  }
}
