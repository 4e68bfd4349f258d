import { Clock } from '../../src/common/clock.js';

/** A clock that stands until it is moved. */
export class StandingClock extends Clock {
  private passedMs = 0;

  constructor(private time = 1_800_000_000_000) {
    super();
  }

  override now(): number {
    return this.time;
  }

  override steady(): number {
    return this.passedMs;
  }

  /** Time passes. */
  advance(ms: number): void {
    this.time += ms;
    this.passedMs += ms;
  }

  /** No time passes, but the clock is set by so much. */
  jump(ms: number): void {
    this.time += ms;
  }
}
