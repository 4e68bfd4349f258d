import { PausableTimer } from './pausable-timer.js';

interface StreamTimeOptions {
  /** What is left of the stream's life, in milliseconds; may be over already. */
  leftMs: number;
  maxPauseMs: number;
  onTimeout: () => void;
  /** A pause has lasted for `maxPauseMs`. */
  onPauseEnd: () => void;
}

/** The time of one running stream: its life, to which pauses do not count, and the length of a pause. */
export class StreamDeadlines {
  private readonly life: PausableTimer;
  private pauseEnd: NodeJS.Timeout | undefined;

  constructor(private readonly options: StreamTimeOptions) {
    this.life = new PausableTimer(options.leftMs, options.onTimeout);
  }

  /** Begins, or goes on after the stream was paused or resumed. */
  follow(isPaused: boolean): void {
    this.stop();
    if (!isPaused) return this.life.start();
    this.pauseEnd = setTimeout(this.options.onPauseEnd, this.options.maxPauseMs);
  }

  /** No time passes any more. */
  stop(): void {
    clearTimeout(this.pauseEnd);
    this.life.stop();
  }
}
