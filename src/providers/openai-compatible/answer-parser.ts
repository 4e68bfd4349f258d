import { createParser, type ParseError } from 'eventsource-parser';
import type { Delta } from '../provider.js';
import { Completion } from './completion.js';
import { incomplete, noCompletion, reportedFailure, tooLarge } from './provider-errors.js';

/** Largest event of a stream, and largest JSON body, in characters (P7). */
const MAX_PENDING_CHARS = 1024 * 1024;

/** The result of parsing some bytes of a response. */
export interface Batch {
  deltas: Delta[];
  /** The error that the answer ends with, after `deltas`. */
  fault?: unknown;
  /** Whether the answer is complete: the last delta is `finish`. */
  isWhole: boolean;
  /** Whether the server has sent anything, a keep-alive included. */
  isActive: boolean;
}

/** Parses the bytes of a response into deltas. */
export interface AnswerParser {
  push(bytes: Uint8Array): Batch;
  /** Parses what is left when the response has ended. */
  end(): Batch;
}

/** Returns the parser for a response of this `Content-Type`. @throws {DomainError} `provider_error` for a web page. */
export function parserFor(contentType: string, apiKey: string | undefined): AnswerParser {
  if (/^text\/html\b/i.test(contentType)) throw noCompletion();
  const isWhole = /^application\/(problem\+)?json\b/i.test(contentType);
  return isWhole ? new JsonAnswerParser(apiKey) : new EventStreamParser(apiKey);
}

/** Parses server-sent events, which almost every server sends. */
class EventStreamParser implements AnswerParser {
  private readonly completion: Completion;
  private readonly decoder = new TextDecoder();
  private readonly events = createParser({
    onEvent: ({ data }) => this.handle(() => this.take(data)),
    onComment: () => this.handle(() => {}),
    onError: (error) => this.handle(() => this.refuse(error)),
    maxBufferSize: MAX_PENDING_CHARS,
  });
  private fault: unknown;
  private isDone = false;
  private isActive = false;

  constructor(private readonly apiKey: string | undefined) {
    this.completion = new Completion(apiKey);
  }

  push(bytes: Uint8Array): Batch {
    return this.feed(this.decoder.decode(bytes, { stream: true }));
  }

  end(): Batch {
    // llama.cpp sends no empty line after its last event.
    const batch = this.feed(`${this.decoder.decode()}\n\n`);
    return batch.isWhole || batch.fault !== undefined ? batch : this.finish(batch);
  }

  private feed(text: string): Batch {
    this.isActive = false;
    this.events.feed(text);
    const { isActive, fault } = this;
    const batch = { deltas: this.completion.takeDeltas(), isWhole: false, isActive };
    if (fault !== undefined) return { ...batch, fault };
    return this.isDone ? this.finish(batch) : batch;
  }

  private finish(batch: Batch): Batch {
    try {
      return { ...batch, deltas: [...batch.deltas, ...this.completion.finish()], isWhole: true };
    } catch (fault) {
      return { ...batch, fault };
    }
  }

  /** Keeps an error instead of throwing it: the text before it must be shown first. */
  private handle(event: () => void): void {
    this.isActive = true;
    if (this.isDone || this.fault !== undefined) return;
    try {
      event();
    } catch (fault) {
      this.fault = fault;
    }
  }

  private take(data: string): void {
    if (data === '[DONE]') this.isDone = true;
    else if (data !== '') this.completion.add(data);
  }

  private refuse({ type, field, value = '' }: ParseError): void {
    if (type === 'max-buffer-size-exceeded') throw tooLarge();
    // llama.cpp of 2025 and before sends its errors in a field of that name. The standard wants other fields ignored.
    if (field === 'error') throw reportedFailure(value, this.apiKey);
  }
}

/** Parses one JSON body: some servers send it although a stream was requested. */
class JsonAnswerParser implements AnswerParser {
  private readonly decoder = new TextDecoder();
  private text = '';

  constructor(private readonly apiKey: string | undefined) {}

  push(bytes: Uint8Array): Batch {
    this.text += this.decoder.decode(bytes, { stream: true });
    const batch = { deltas: [], isWhole: false, isActive: true };
    return this.text.length > MAX_PENDING_CHARS ? { ...batch, fault: tooLarge() } : batch;
  }

  end(): Batch {
    const batch = { deltas: [], isWhole: false, isActive: true };
    try {
      if (this.text === '') throw incomplete();
      const completion = new Completion(this.apiKey);
      completion.add(this.text + this.decoder.decode());
      return { ...batch, deltas: completion.finish(), isWhole: true };
    } catch (fault) {
      return { ...batch, fault };
    }
  }
}
