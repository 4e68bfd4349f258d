import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;

/** How late the event loop was, in milliseconds, since the last time that it was asked. */
export interface EventLoopDelay {
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** Watches the event loop: what is late there is late for everybody. */
@Injectable()
export class EventLoop implements OnApplicationShutdown {
  private readonly histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.histogram.enable();
  }

  onApplicationShutdown(): void {
    this.histogram.disable();
  }

  /** The delay since the last call. */
  take(): EventLoopDelay {
    const { histogram } = this;
    const delay = {
      p50Ms: toDelayMs(histogram.percentile(50)),
      p99Ms: toDelayMs(histogram.percentile(99)),
      maxMs: toDelayMs(histogram.max),
    };
    histogram.reset();
    return delay;
  }
}

/** The histogram has the time from one tick of its timer to the next, in nanoseconds. */
function toDelayMs(nanoseconds: number): number {
  return Math.max(0, Math.round(nanoseconds / 1e4) / 100 - RESOLUTION_MS);
}
