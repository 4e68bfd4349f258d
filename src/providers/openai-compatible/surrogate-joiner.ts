/** Joins text that comes in pieces so that none ends within a code point: some servers split an emoji's two halves. */
export class SurrogateJoiner {
  private half = '';

  /** All of the text so far that is whole; may be empty. */
  push(text: string): string {
    const joined = this.half + text;
    const last = joined.charCodeAt(joined.length - 1);
    const isHalf = last >= 0xd800 && last <= 0xdbff;
    this.half = isHalf ? joined.slice(-1) : '';
    return isHalf ? joined.slice(0, -1) : joined;
  }

  /** What is left at the end: empty, or U+FFFD for a half whose other half never came. */
  end(): string {
    const rest = this.half.toWellFormed();
    this.half = '';
    return rest;
  }
}
