import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../config/config.js';

/** How many answers this node produces, against `STREAM_MAX_CONCURRENT`. */
@Injectable()
export class StreamSlots {
  private taken = 0;

  constructor(@Inject(CONFIG) private readonly config: Config) {}

  free(): number {
    return Math.max(0, this.config.STREAM_MAX_CONCURRENT - this.taken);
  }

  take(): void {
    this.taken += 1;
  }

  release(): void {
    this.taken -= 1;
  }
}
