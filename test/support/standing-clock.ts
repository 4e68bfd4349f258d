import { Clock } from '../../src/common/clock.js';

/** A clock that stands until it is moved. */
export class StandingClock extends Clock {
  constructor(private time = 1_800_000_000_000) {
    super();
  }

  override now(): number {
    return this.time;
  }

  advance(ms: number): void {
    this.time += ms;
  }
}
