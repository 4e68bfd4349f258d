import { Inject, Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import type { RequestContext } from '../../platform/tracing/request-context.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import type { AnswerRequest } from '../../conversations/append.store.js';
import type { SendPayload, StreamTransport } from '../../protocol/index.js';
import { ProviderRegistry } from '../../providers/provider-registry.js';
import type { StreamOptions } from '../log/stream.rows.js';

export interface Question extends SendPayload {
  chunkSize?: number;
  chunkDelayMs?: number;
}

interface Asking {
  transport: StreamTransport;
  context: RequestContext;
}

/** Turns what a question says of its answer, and what it leaves open, into the stream that is to be begun. */
@Injectable()
export class AnswerRequests {
  constructor(
    private readonly providers: ProviderRegistry,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @throws {DomainError} `invalid_payload` for a provider or model that is not offered. */
  of(question: Question, { transport, context }: Asking): AnswerRequest {
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
}
