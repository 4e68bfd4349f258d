// The longest delay that setTimeout accepts.
const MAX_TIMER_MS = 2_147_483_647;

interface StreamDeadlinesOptions {
  /** What is left of the stream's life, in milliseconds; may be over already. */
  leftMs: number;
  /** How much longer the stream lives while its provider has not begun: a large model may have to be loaded. */
  openingMs: number;
  maxPauseMs: number;
  onTimeout: () => void;
  /** Called when a pause has lasted for `maxPauseMs`. */
  onPauseEnd: () => void;
}

/** The deadlines of one running stream: its life, in which pauses do not count, and the length of a pause. */
export class StreamDeadlines {
  private readonly life: PausableTimer;
  private pauseEnd: NodeJS.Timeout | undefined;

  constructor(private readonly options: StreamDeadlinesOptions) {
    const { leftMs, openingMs, onTimeout } = options;
    this.life = new PausableTimer(leftMs > 0 ? leftMs + openingMs : 0, onTimeout);
  }

  /** Starts the deadline that applies now, at the beginning and after each pause and resume. */
  apply(isPaused: boolean): void {
    this.stop();
    if (!isPaused) return this.life.start();
    this.pauseEnd = setTimeout(this.options.onPauseEnd, this.options.maxPauseMs);
  }

  /** Counts the stream's life from now on: its provider has begun. */
  begin(): void {
    this.life.reset(this.options.leftMs);
  }

  /** Stops all time, until {@link apply}. */
  stop(): void {
    clearTimeout(this.pauseEnd);
    this.life.stop();
  }
}

/** Calls `onExpired` once, after `leftMs` milliseconds of running time. */
export class PausableTimer {
  private timer: NodeJS.Timeout | undefined;
  private since = 0;

  constructor(
    private leftMs: number,
    private readonly onExpired: () => void,
  ) {}

  /** Starts or continues; without effect while it runs. */
  start(): void {
    if (this.timer) return;
    this.since = performance.now();
    this.timer = setTimeout(() => this.expire(), Math.min(MAX_TIMER_MS, Math.max(0, this.leftMs)));
  }

  /** Pauses until {@link start}. */
  stop(): void {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.leftMs -= performance.now() - this.since;
  }

  /** Replaces the time that is left, whether it runs or not. */
  reset(leftMs: number): void {
    const runs = this.timer !== undefined;
    this.stop();
    this.leftMs = leftMs;
    if (runs) this.start();
  }

  private expire(): void {
    this.leftMs = Infinity;
    this.onExpired();
  }
}
