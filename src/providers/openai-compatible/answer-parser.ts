import type { Delta } from '../provider.js';
import { Completion } from './completion.js';
import { EventReader, isDone, type ServerEvent } from './event-reader.js';
import { tooLarge, webPage, type FailureReports } from './provider-errors.js';
import type { ThinkTagsMode } from './think-tags.js';

/** Largest event of a stream, and largest JSON body, in characters (P7). */
const MAX_PENDING_CHARS = 1024 * 1024;
/** How much is kept of the beginning, to say what it was where it is no chat completion. */
const MAX_HEAD_CHARS = 1000;

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

interface AnswerParserOptions {
  contentType: string;
  thinkTags: ThinkTagsMode;
  failures: FailureReports;
}

/**
 * Parses the bytes of a response into deltas. The `Content-Type` decides nothing but that a web page is none: servers send
 * events as JSON, JSON as events, and either as plain text.
 */
export class AnswerParser {
  private readonly completion: Completion;
  private readonly decoder = new TextDecoder();
  private readonly events = new EventReader(
    MAX_PENDING_CHARS,
    (event) => this.handle(event),
    () => (this.fault ??= tooLarge()),
  );
  private fault: unknown;
  private isDone = false;
  private head = '';

  /** @throws {DomainError} `provider_error` for a web page. */
  constructor({ contentType, thinkTags, failures }: AnswerParserOptions) {
    if (/^text\/html\b/i.test(contentType)) throw webPage();
    this.completion = new Completion(thinkTags, failures);
  }

  /** Whether all of the answer is there, although its end may not be: wait for usage, but not for long. */
  get isFinished(): boolean {
    return this.completion.isFinished;
  }

  push(bytes: Uint8Array): Batch {
    const text = this.decoder.decode(bytes, { stream: true });
    if (this.head.length < MAX_HEAD_CHARS) this.head += text.slice(0, MAX_HEAD_CHARS - this.head.length);
    this.events.push(text);
    return this.batch(this.isDone);
  }

  /** Parses what is left when the response has ended. */
  end(): Batch {
    this.events.push(this.decoder.decode());
    this.events.end();
    return this.batch(true);
  }

  private batch(isOver: boolean): Batch {
    const { completion, fault } = this;
    if (fault !== undefined || !isOver) {
      const batch = { deltas: completion.takeDeltas(), isWhole: false, isActive: true };
      return fault === undefined ? batch : { ...batch, fault };
    }
    try {
      const finish = completion.finish(this.head);
      return { deltas: [...completion.takeDeltas(), finish], isWhole: true, isActive: true };
    } catch (thrown) {
      return { deltas: completion.takeDeltas(), fault: thrown, isWhole: false, isActive: true };
    }
  }

  /** Keeps an error instead of throwing it: the text before it must be shown first. */
  private handle(event: ServerEvent): void {
    if (this.isDone || this.fault !== undefined) return;
    try {
      if (isDone(event.text)) this.isDone = true;
      else this.completion.add(event);
    } catch (thrown) {
      this.fault = thrown;
    }
  }
}
