/** Time, injected so that tests can set it. */
export abstract class Clock {
  /** Wall-clock time in milliseconds since 1970, for points in time. It may be set at any moment, also back. */
  abstract now(): number;

  /** Monotonic milliseconds from an arbitrary start, for durations. */
  abstract steady(): number;
}

/** The machine's clock. */
export class SystemClock extends Clock {
  override now(): number {
    return Date.now();
  }

  override steady(): number {
    return performance.now();
  }
}
