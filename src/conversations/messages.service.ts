import { Inject, Injectable } from '@nestjs/common';
import { denied } from '../auth/policy.js';
import type { Principal } from '../auth/principal.js';
import { DomainError, notFound } from '../common/domain-error.js';
import { newId } from '../common/ids.js';
import { invalid } from '../platform/validation/payload.js';
import { inSpan } from '../platform/tracing/tracer.js';
import type { RequestContext } from '../platform/tracing/request-context.js';
import { CONFIG, type Config } from '../platform/config/config.js';
import {
  codePoints,
  LIMITS,
  type HistoryPayload,
  type Message,
  type MessagePage,
  type SendResult,
} from '../protocol/index.js';
import { Announcer } from './announcer.js';
import { AppendStore, type AnswerRequest, type AppendItem, type AppendResult } from './append.store.js';
import { ConversationsService } from './conversations.service.js';
import { MessagesStore } from './messages.store.js';

/** A message to send. Its format has been checked, the sender's rights have not. */
export interface SendCommand {
  conversationId: string;
  clientMessageId: string;
  content: string;
  metadata?: Record<string, unknown> | undefined;
  answer?: AnswerRequest | undefined;
  /** The connection whose ack will carry the message. */
  origin?: string | undefined;
  context: RequestContext;
}

/** Sends and reads messages. */
@Injectable()
export class MessagesService {
  constructor(
    private readonly append: AppendStore,
    private readonly store: MessagesStore,
    private readonly conversations: ConversationsService,
    private readonly announcer: Announcer,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /**
   * Resolves when the message is committed (P1). A repeat of its `clientMessageId` returns the first message (P2).
   * @throws {DomainError} `not_found`, `payload_too_large`, `too_many_streams`, `overloaded`, `timeout` or `internal`.
   */
  async send(sender: Principal, command: SendCommand): Promise<SendResult> {
    this.checkLength(command.content);
    const { conversationId, clientMessageId, content, metadata = {}, answer, origin } = command;
    const result = await this.appendInSpan(command.context, {
      conversationId,
      senderId: sender.userId,
      clientMessageId,
      id: newId(),
      content,
      metadata,
      ...(answer && { answer }),
    });
    if (result.outcome === 'not_found') throw denied('message:send');
    if (result.outcome === 'too_many_streams') throw tooManyStreams();
    const streamId = result.streamId === null ? {} : { streamId: result.streamId };
    const { memberVersion } = result;
    if (result.outcome === 'duplicate') {
      const message = await this.readStored(conversationId, result.seq);
      // The first commit may never have been announced: its node may have died before.
      this.announcer.announce({ message, memberVersion, origin });
      return { message, duplicate: true, ...streamId };
    }
    const message: Message = {
      id: result.id,
      conversationId,
      seq: result.seq,
      senderId: sender.userId,
      role: 'user',
      clientMessageId,
      content,
      metadata,
      createdAt: result.createdAt.toISOString(),
    };
    this.announcer.announce({ message, memberVersion, origin });
    return { message, duplicate: false, ...streamId };
  }

  /** Returns a page of a conversation's log. @throws {DomainError} `not_found` or `invalid_payload`. */
  async history(reader: Principal, request: HistoryPayload): Promise<MessagePage> {
    if (request.afterSeq !== undefined && request.beforeSeq !== undefined) {
      throw invalid(['give either afterSeq or beforeSeq']);
    }
    await this.conversations.require(request.conversationId, reader.userId);
    const limit = request.limit ?? LIMITS.defaultPageMessages;
    return this.store.page({ ...request, limit, readerId: reader.userId });
  }

  /** The span covers the wait for a batch and its commit. */
  private appendInSpan(context: RequestContext, item: AppendItem): Promise<AppendResult> {
    return inSpan('append message', { kind: 'internal', context }, () => this.append.append(item));
  }

  private async readStored(conversationId: string, seq: number): Promise<Message> {
    const message = await this.store.one(conversationId, seq);
    if (!message) throw notFound();
    return message;
  }

  private checkLength(content: string): void {
    const max = this.config.MAX_MESSAGE_CHARS;
    if (content.length > max && codePoints(content) > max) {
      throw new DomainError('payload_too_large', `A message may have at most ${max} characters.`);
    }
  }
}

function tooManyStreams(): DomainError {
  const message = 'The server is at its limit of concurrent answers. Try again when one has ended.';
  return new DomainError('too_many_streams', message, { retryAfterMs: 2000 });
}
