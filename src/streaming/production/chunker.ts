import { cleanText, type ChunkType } from '../../protocol/index.js';

/** A chunk that has no sequence yet. */
export interface Draft {
  type: ChunkType;
  content: string;
  metadata?: Record<string, unknown>;
}

type TextType = Extract<ChunkType, 'content' | 'reasoning' | 'progress'>;

interface ChunkerOptions {
  /** UTF-8 bytes at which a chunk is cut; a single code point may be longer. */
  maxBytes: number;
  /** Milliseconds after which a chunk is cut although it is small. */
  maxDelayMs: number;
}

/**
 * Combines many deltas into few chunks. The first delta is a chunk at once; then a chunk is cut at `maxBytes` or after
 * `maxDelayMs`, whichever is first, never within a code point. The chunks, joined, equal the deltas, joined, except for what
 * {@link cleanText} replaces. Pure: the caller passes the time and keeps the timer.
 *
 * @example
 * const chunker = new Chunker({ maxBytes: 4096, maxDelayMs: 50 });
 * chunker.push('content', 'Hel', 0); // [{ type: 'content', content: 'Hel' }]
 * chunker.push('content', 'lo', 10); // []
 * chunker.cutDue(60); // [{ type: 'content', content: 'lo' }]
 */
export class Chunker {
  private type: TextType = 'content';
  private text = '';
  private bytes = 0;
  private since = 0;
  /** A high surrogate whose low surrogate has not arrived yet. */
  private surrogate = '';
  private started = false;
  private readonly buffer: Uint8Array;
  private readonly encoder = new TextEncoder();

  constructor(private readonly options: ChunkerOptions) {
    this.buffer = new Uint8Array(options.maxBytes);
  }

  /** When the pending text is due, by the caller's clock; null while nothing is pending. */
  get dueAt(): number | null {
    return this.text === '' ? null : this.since + this.options.maxDelayMs;
  }

  /** Adds a delta and returns the chunks that are full or due at `now`. */
  push(type: TextType, delta: string, now: number): Draft[] {
    const drafts = type === this.type ? [] : this.flush();
    this.type = type;
    this.append(delta, now);
    while (this.bytes >= this.options.maxBytes) drafts.push(this.cut(now));
    const isDue = this.dueAt !== null && (!this.started || now >= this.dueAt);
    if (isDue) drafts.push(this.cutAll());
    if (drafts.length > 0) this.started = true;
    return drafts;
  }

  /** Returns the pending text, if it is due at `now`. */
  cutDue(now: number): Draft[] {
    return this.dueAt !== null && now >= this.dueAt ? [this.cutAll()] : [];
  }

  /** Returns everything that is pending: before a delta of another type, and at the end. */
  flush(): Draft[] {
    const lone = this.surrogate;
    this.surrogate = '';
    if (lone !== '') this.add(cleanText(lone));
    const drafts: Draft[] = [];
    while (this.bytes > this.options.maxBytes) drafts.push(this.cut(this.since));
    if (this.text !== '') drafts.push(this.cutAll());
    return drafts;
  }

  private append(delta: string, now: number): void {
    let text = this.surrogate + delta;
    this.surrogate = '';
    if (isHighSurrogate(text.charCodeAt(text.length - 1))) {
      this.surrogate = text.slice(-1);
      text = text.slice(0, -1);
    }
    if (this.text === '') this.since = now;
    this.add(cleanText(text));
  }

  private add(text: string): void {
    this.text += text;
    this.bytes += Buffer.byteLength(text);
  }

  private cut(now: number): Draft {
    const fitting = this.encoder.encodeInto(this.text, this.buffer);
    const end = fitting.read > 0 ? fitting.read : String.fromCodePoint(this.text.codePointAt(0) ?? 0).length;
    const content = this.text.slice(0, end);
    this.text = this.text.slice(end);
    // Measures what was cut: measuring the rest each time would be quadratic in the size of a large delta.
    this.bytes -= Buffer.byteLength(content);
    this.since = now;
    return { type: this.type, content };
  }

  private cutAll(): Draft {
    const content = this.text;
    this.text = '';
    this.bytes = 0;
    return { type: this.type, content };
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
