/** Where models that were trained to think in tags begin and end it. */
const TAGS: readonly (readonly [open: string, close: string])[] = [
  ['<think>', '</think>'],
  ['<thinking>', '</thinking>'],
  ['<thought>', '</thought>'],
  ['<reasoning>', '</reasoning>'],
  ['[THINK]', '[/THINK]'],
  ['◁think▷', '◁/think▷'],
  ['<|begin_of_thought|>', '<|end_of_thought|>'],
];

const CLOSINGS = TAGS.map(([, close]) => close);
const ALL_TAGS = TAGS.flat();

/**
 * How thinking within the text is found: `auto` between tags at the beginning of an answer; `open` also where the opening
 * tag is missing, because the chat template has sent it to the model (DeepSeek R1, QwQ); `off` not at all.
 */
export type ThinkTagsMode = 'auto' | 'open' | 'off';

interface Piece {
  type: 'content' | 'reasoning';
  text: string;
}

/**
 * Tells thinking in tags from the answer's words, however the text is cut. Tags count only before the first word of the
 * answer: an answer may be about tags.
 */
export class ThinkTags {
  private state: 'start' | 'thinking' | 'answer';
  /** The tags that may end the thinking. */
  private closings: readonly string[] = CLOSINGS;
  /** Text that may be a part of a tag. */
  private held = '';
  /** Whether whitespace is skipped: after a tag. */
  private skipsSpace = false;

  constructor(private readonly mode: ThinkTagsMode) {
    this.state = mode === 'off' ? 'answer' : 'start';
  }

  /** Returns the pieces that `text`, the next of the answer, makes certain. */
  push(text: string): Piece[] {
    if (this.state === 'answer' && !this.skipsSpace) return [{ type: 'content', text }];
    const pieces: Piece[] = [];
    this.held += text;
    while (this.step(pieces));
    return pieces;
  }

  /** Returns what was held back: the answer is over. */
  end(): Piece[] {
    return this.held === '' ? [] : [this.piece(this.held.length)];
  }

  /** Takes one step; false where more text is needed. */
  private step(pieces: Piece[]): boolean {
    if (this.skipsSpace) this.held = this.held.trimStart();
    if (this.held === '') return false;
    this.skipsSpace = false;
    if (this.state === 'start') return this.begin();
    if (this.state === 'thinking') return this.think(pieces);
    pieces.push(this.piece(this.held.length));
    return false;
  }

  private begin(): boolean {
    const begun = this.held.trimStart();
    const tag = TAGS.find(([open]) => begun.startsWith(open));
    if (tag) {
      this.closings = [tag[1]];
      return this.enter('thinking', begun.slice(tag[0].length));
    }
    if (ALL_TAGS.some((text) => text.startsWith(begun))) return false;
    this.state = this.mode === 'open' ? 'thinking' : 'answer';
    // The server took the thinking out and left the tag, or the chat template sent the opening tag to the model.
    if (this.state === 'answer' && isLone(this.held, this.closing())) this.state = 'thinking';
    return true;
  }

  private think(pieces: Piece[]): boolean {
    const closing = this.closing();
    const certain = closing?.at ?? this.held.length - longestBeginning(this.held, this.closings);
    if (certain > 0) pieces.push(this.piece(certain));
    return closing !== undefined && this.enter('answer', this.held.slice(closing.tag.length));
  }

  /** Finds the first closing tag in the held text. */
  private closing(): { at: number; tag: string } | undefined {
    return this.closings
      .map((tag) => ({ at: this.held.indexOf(tag), tag }))
      .filter(({ at }) => at >= 0)
      .toSorted((a, b) => a.at - b.at)[0];
  }

  private enter(state: 'thinking' | 'answer', held: string): true {
    this.state = state;
    this.held = held;
    this.skipsSpace = true;
    return true;
  }

  private piece(length: number): Piece {
    const text = this.held.slice(0, length);
    this.held = this.held.slice(length);
    return { type: this.state === 'thinking' ? 'reasoning' : 'content', text };
  }
}

/** Whether a closing tag stands for itself; in quotes an answer writes about it. */
function isLone(text: string, closing: { at: number; tag: string } | undefined): boolean {
  if (closing === undefined) return false;
  const around = text.slice(Math.max(0, closing.at - 1), closing.at + closing.tag.length + 1);
  return !/[`'"“”‘’«»]/.test(around);
}

/** How many characters at the end of `text` may be the beginning of one of `tags`. */
function longestBeginning(text: string, tags: readonly string[]): number {
  const longest = Math.max(...tags.map(({ length }) => length)) - 1;
  for (let length = Math.min(longest, text.length); length > 0; length -= 1) {
    const end = text.slice(-length);
    if (tags.some((tag) => tag.startsWith(end))) return length;
  }
  return 0;
}
