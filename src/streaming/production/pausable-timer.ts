// setTimeout takes no longer time.
const MAX_TIMER_MS = 2_147_483_647;

/** Calls `expired` once, after `leftMs` milliseconds of running time: while it stands no time passes. */
export class PausableTimer {
  private timer: NodeJS.Timeout | undefined;
  private since = 0;

  constructor(
    private leftMs: number,
    private readonly expired: () => void,
  ) {}

  /** Lets time pass. */
  start(): void {
    if (this.timer) return;
    this.since = performance.now();
    this.timer = setTimeout(() => this.expire(), Math.min(MAX_TIMER_MS, Math.max(0, this.leftMs)));
  }

  /** Stands still until {@link start}; for good where that does not come. */
  stop(): void {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.leftMs -= performance.now() - this.since;
  }

  private expire(): void {
    this.leftMs = Infinity;
    this.expired();
  }
}
