import { createParser, type ParseError } from 'eventsource-parser';
import type { Delta } from '../provider.js';
import { Completion } from './completion.js';
import { incomplete, noCompletion, saidFailure, withoutEnd } from './provider-errors.js';

/** Largest single event of a stream, and largest answer in one piece, in characters (P7). */
const MAX_PENDING_CHARS = 1024 * 1024;

/** What some bytes of a response have completed. */
export interface Batch {
  deltas: Delta[];
  /** What the answer failed of, behind `deltas`. */
  fault?: unknown;
  /** Whether the answer is whole: the last delta is `finish`. */
  isWhole: boolean;
  /** Whether the server has said something: also that it is still at it. */
  isHeard: boolean;
}

/** Makes deltas of a response's bytes. */
export interface AnswerParser {
  push(bytes: Uint8Array): Batch;
  /** The response has ended. */
  end(): Batch;
}

/** The parser for a response of this `Content-Type`. */
export function parserFor(contentType: string, apiKey: string | undefined): AnswerParser {
  if (/^text\/html\b/i.test(contentType)) throw noCompletion();
  const isWhole = /^application\/(problem\+)?json\b/i.test(contentType);
  return isWhole ? new JsonAnswerParser(apiKey) : new EventStreamParser(apiKey);
}

/** Server-sent events, as almost every server sends them. */
class EventStreamParser implements AnswerParser {
  private readonly completion: Completion;
  private readonly decoder = new TextDecoder();
  private readonly events = createParser({
    onEvent: ({ data }) => this.hear(() => this.take(data)),
    onComment: () => this.hear(() => {}),
    onError: (error) => this.hear(() => this.refuse(error)),
    maxBufferSize: MAX_PENDING_CHARS,
  });
  private fault: unknown;
  private isDone = false;
  private isHeard = false;

  constructor(private readonly apiKey: string | undefined) {
    this.completion = new Completion(apiKey);
  }

  push(bytes: Uint8Array): Batch {
    return this.feed(this.decoder.decode(bytes, { stream: true }));
  }

  end(): Batch {
    // llama.cpp sends no empty line behind its last event.
    const batch = this.feed(`${this.decoder.decode()}\n\n`);
    return batch.isWhole || batch.fault !== undefined ? batch : this.finish(batch);
  }

  private feed(text: string): Batch {
    this.isHeard = false;
    this.events.feed(text);
    const { isHeard, fault } = this;
    const batch = { deltas: this.completion.takeDeltas(), isWhole: false, isHeard };
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

  /** An error may not leave the parser: the text before it is to be shown first. */
  private hear(act: () => void): void {
    this.isHeard = true;
    if (this.isDone || this.fault !== undefined) return;
    try {
      act();
    } catch (fault) {
      this.fault = fault;
    }
  }

  private take(data: string): void {
    if (data === '[DONE]') this.isDone = true;
    else if (data !== '') this.completion.take(data);
  }

  private refuse({ type, field, value = '' }: ParseError): void {
    if (type === 'max-buffer-size-exceeded') throw withoutEnd();
    // llama.cpp of 2025 and before told its errors in a field of that name. Other fields are ignored, as the standard wants.
    if (field === 'error') throw saidFailure(value, this.apiKey);
  }
}

/** One JSON body: some servers answer so although they were asked for a stream. */
class JsonAnswerParser implements AnswerParser {
  private readonly decoder = new TextDecoder();
  private text = '';

  constructor(private readonly apiKey: string | undefined) {}

  push(bytes: Uint8Array): Batch {
    this.text += this.decoder.decode(bytes, { stream: true });
    const batch = { deltas: [], isWhole: false, isHeard: true };
    return this.text.length > MAX_PENDING_CHARS ? { ...batch, fault: withoutEnd() } : batch;
  }

  end(): Batch {
    const batch = { deltas: [], isWhole: false, isHeard: true };
    try {
      if (this.text === '') throw incomplete();
      const completion = new Completion(this.apiKey);
      completion.take(this.text + this.decoder.decode());
      return { ...batch, deltas: completion.finish(), isWhole: true };
    } catch (fault) {
      return { ...batch, fault };
    }
  }
}
