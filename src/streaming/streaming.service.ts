import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import type { Principal } from '../auth/principal.js';
import { DomainError, notFound } from '../common/domain-error.js';
import { newId } from '../common/ids.js';
import { CONFIG, type Config } from '../config/config.js';
import type { AnswerRequest } from '../conversations/append.store.js';
import { MessagesService } from '../conversations/messages.service.js';
import type { ControlAnswer, SendAnswer, SendPayload, StreamTransport } from '../protocol/index.js';
import { ProviderRegistry } from '../providers/provider-registry.js';
import { StreamEnder } from './stream-ender.js';
import { StreamRunners } from './stream-runners.js';
import type { StreamOptions, StreamRow } from './stream.rows.js';
import { StreamsStore } from './streams.store.js';

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
export class StreamingService implements BeforeApplicationShutdown {
  constructor(
    private readonly messages: MessagesService,
    private readonly providers: ProviderRegistry,
    private readonly streams: StreamsStore,
    private readonly runners: StreamRunners,
    private readonly ender: StreamEnder,
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
    if (answer && !sent.duplicate) this.runners.start(answer.streamId);
    return sent;
  }

  /**
   * Ends a stream now: after this nothing enters its log (P6). A repeat is harmless.
   * @throws {DomainError} `not_found`, `forbidden`, or `stream_ended` when it ended otherwise.
   */
  async cancel(principal: Principal, streamId: string): Promise<ControlAnswer> {
    const row = await this.controllable(principal, streamId);
    const { visible } = row.options;
    const result = await this.ender.end({ streamId, type: 'cancelled', reason: 'user', visible });
    if (result.outcome === 'not_found') throw notFound();
    const { status, lastSequence } = result;
    if (status !== 'cancelled')
      throw new DomainError('stream_ended', `The stream has ended: it is ${status}.`);
    return { status, lastSequence };
  }

  /** Running answers get the grace time to end by themselves. */
  beforeApplicationShutdown(): Promise<void> {
    return this.runners.finish(this.config.SHUTDOWN_GRACE_MS);
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

  /** The asker, the conversation's owner and admins may control a stream; other members may not. */
  private async controllable(principal: Principal, streamId: string): Promise<StreamRow> {
    const found = await this.streams.findFor(streamId, principal.userId);
    if (!found || (found.role === null && !principal.isAdmin)) throw notFound();
    const { row, role } = found;
    if (row.user_id === principal.userId || role === 'owner' || principal.isAdmin) return row;
    throw new DomainError(
      'forbidden',
      'Only who asked, the owner of the conversation and admins may do this.',
    );
  }
}
