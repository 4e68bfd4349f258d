import { cleanText, type ChunkType } from '../../protocol/index.js';

/** A chunk that has no place in the log yet. */
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
 * Makes few chunks out of many deltas. The first delta goes at once; then a chunk is cut at `maxBytes` or after
 * `maxDelayMs`, whichever is first, never within a code point. What comes out, joined, is what went in, but for what
 * {@link cleanText} replaces. Pure: the caller tells the time and keeps the timer.
 */
export class Chunker {
  private type: TextType = 'content';
  private text = '';
  private bytes = 0;
  private since = 0;
  /** A high surrogate whose other half has not come yet. */
  private half = '';
  private started = false;
  private readonly buffer: Uint8Array;
  private readonly encoder = new TextEncoder();

  constructor(private readonly options: ChunkerOptions) {
    this.buffer = new Uint8Array(options.maxBytes);
  }

  /** When the pending text is due, in the caller's milliseconds; null while nothing is pending. */
  get dueAt(): number | null {
    return this.text === '' ? null : this.since + this.options.maxDelayMs;
  }

  /** Takes a delta and gives the chunks that are full or due at `now`. */
  push(type: TextType, delta: string, now: number): Draft[] {
    const drafts = type === this.type ? [] : this.flush();
    this.type = type;
    this.append(delta, now);
    while (this.bytes >= this.options.maxBytes) drafts.push(this.cut(now));
    const isDue = this.dueAt !== null && (!this.started || now >= this.dueAt);
    if (isDue) drafts.push(this.takeAll());
    if (drafts.length > 0) this.started = true;
    return drafts;
  }

  /** The pending text, if it is due at `now`. */
  takeDue(now: number): Draft[] {
    return this.dueAt !== null && now >= this.dueAt ? [this.takeAll()] : [];
  }

  /** Everything that is pending: before another type, and at the end. */
  flush(): Draft[] {
    const half = this.half;
    this.half = '';
    if (half !== '') this.add(cleanText(half));
    const drafts: Draft[] = [];
    while (this.bytes > this.options.maxBytes) drafts.push(this.cut(this.since));
    if (this.text !== '') drafts.push(this.takeAll());
    return drafts;
  }

  private append(delta: string, now: number): void {
    let text = this.half + delta;
    this.half = '';
    if (isHighSurrogate(text.charCodeAt(text.length - 1))) {
      this.half = text.slice(-1);
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
    // Counted from what was cut: measuring the rest each time would be quadratic in a large delta.
    this.bytes -= Buffer.byteLength(content);
    this.since = now;
    return { type: this.type, content };
  }

  private takeAll(): Draft {
    const content = this.text;
    this.text = '';
    this.bytes = 0;
    return { type: this.type, content };
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
