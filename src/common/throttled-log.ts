const INTERVAL_MS = 1000;

/**
 * Writes at most one line per second. The field `unwritten` counts the lines left out since the last one. Use it for
 * events that come by the thousands under overload, and that a metric counts in full.
 */
export class ThrottledLog {
  private quietUntil = -Infinity;
  private unwritten = 0;

  constructor(
    private readonly write: (fields: object) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  add(fields: object): void {
    if (this.now() < this.quietUntil) {
      this.unwritten += 1;
      return;
    }
    this.write({ ...fields, unwritten: this.unwritten });
    this.quietUntil = this.now() + INTERVAL_MS;
    this.unwritten = 0;
  }
}
