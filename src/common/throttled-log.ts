const INTERVAL_MS = 1000;

/**
 * Writes at most one line per second. The field `suppressed` counts the lines left out since the last one. Use it for
 * events that come by the thousands under overload and are also counted by a metric.
 */
export class ThrottledLog {
  private quietUntil = -Infinity;
  private suppressed = 0;

  constructor(
    private readonly write: (fields: object) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  add(fields: object): void {
    if (this.now() < this.quietUntil) {
      this.suppressed += 1;
      return;
    }
    this.write({ ...fields, suppressed: this.suppressed });
    this.quietUntil = this.now() + INTERVAL_MS;
    this.suppressed = 0;
  }
}
