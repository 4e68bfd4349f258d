const PAUSE_MS = 1000;

/**
 * Writes of events that timed out: at most one a second, with how many were not written since the last one. An overload brings
 * thousands, and the counters of events have them all.
 */
export class TimeoutLog {
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
    this.quietUntil = this.now() + PAUSE_MS;
    this.unwritten = 0;
  }
}
