/** Time, injected so that tests can set it. */
export abstract class Clock {
  /** Wall-clock time in milliseconds since 1970: when something is. It may be set at any moment, back as well. */
  abstract now(): number;

  /** Milliseconds that nobody sets, counted from anywhere: how long something takes. */
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
