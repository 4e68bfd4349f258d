import { Inject, Injectable } from '@nestjs/common';
import type { Principal } from '../auth/principal.js';
import { newId } from '../common/ids.js';
import { CONFIG, type Config } from '../config/config.js';
import type { AnswerRequest } from '../conversations/append.store.js';
import { MessagesService } from '../conversations/messages.service.js';
import type { ControlAnswer, SendAnswer, SendPayload, StreamTransport } from '../protocol/index.js';
import { ProviderRegistry } from '../providers/provider-registry.js';
import { StreamAccess } from './stream-access.js';
import { StreamControls } from './stream-controls.js';
import { StreamRunners } from './stream-runners.js';
import type { StreamOptions, StreamRow } from './stream.rows.js';

interface Question extends SendPayload {
  chunkSize?: number;
  chunkDelayMs?: number;
}

interface Asked {
  transport: StreamTransport;
  /** Connection whose acknowledgement will carry the question. */
  origin?: string;
}

/** Questions and their answers: asks, and controls what is being produced. */
@Injectable()
export class StreamingService {
  constructor(
    private readonly messages: MessagesService,
    private readonly providers: ProviderRegistry,
    private readonly runners: StreamRunners,
    private readonly controls: StreamControls,
    private readonly access: StreamAccess,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /**
   * Sends a message and, where it asks for an answer, begins to produce it: an answer with `streamId` means that the
   * stream exists and will end (P2).
   * @throws {DomainError} as `MessagesService.send`, and `invalid_payload` for a provider or model that is not offered.
   */
  async send(sender: Principal, question: Question, { transport, origin }: Asked): Promise<SendAnswer> {
    const { conversationId, clientMessageId, content, metadata } = question;
    const answer = question.respond === false ? undefined : this.answerTo(question, transport);
    const sent = await this.messages.send(sender, {
      ...{ conversationId, clientMessageId, content, metadata, answer, origin },
    });
    // Also a repeat's: the first may have been committed without its sender, or this node, having heard of it.
    if (answer && sent.streamId !== undefined) this.runners.start(sent.streamId);
    return sent;
  }

  /** @throws {DomainError} as `StreamControls.pause`. */
  pause(principal: Principal, streamId: string): Promise<ControlAnswer> {
    return this.controls.pause(principal, streamId);
  }

  /** @throws {DomainError} as `StreamControls.resume`. */
  resume(principal: Principal, streamId: string): Promise<ControlAnswer> {
    return this.controls.resume(principal, streamId);
  }

  /** @throws {DomainError} as `StreamControls.cancel`. */
  cancel(principal: Principal, streamId: string): Promise<ControlAnswer> {
    return this.controls.cancel(principal, streamId);
  }

  /** @throws {DomainError} as `StreamAccess.readable`. */
  readable(principal: Principal, streamId: string): Promise<StreamRow> {
    return this.access.readable(principal, streamId);
  }

  /** As `StreamControls.continueInterrupted`. */
  continueInterrupted(streamId: string): Promise<void> {
    return this.controls.continueInterrupted(streamId);
  }

  private answerTo(question: Question, transport: StreamTransport): AnswerRequest {
    const { provider, model } = this.providers.resolve(question.provider, question.model);
    const options: StreamOptions = {
      includeContext: question.includeContext ?? true,
      visible: question.stream ?? true,
      chunkBytes: question.chunkSize ?? this.config.STREAM_CHUNK_BYTES,
      chunkDelayMs: question.chunkDelayMs ?? this.config.STREAM_CHUNK_DELAY_MS,
    };
    const ids = { streamId: newId(), messageId: newId() };
    return { ...ids, provider: provider.name, model, transport, options: { ...options } };
  }
}
