import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

/** How late timers ran, in milliseconds; 0 where nothing was measured yet. */
export interface EventLoopDelayFigures {
  meanMs: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** Measures how late the event loop runs its timers. Each instance has its own period, which `reset` begins anew. */
@Injectable()
export class EventLoopDelay implements OnApplicationShutdown {
  private readonly histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.histogram.enable();
  }

  onApplicationShutdown(): void {
    this.histogram.disable();
  }

  /** Returns the delay since the start or the last `reset`. */
  read(): EventLoopDelayFigures {
    const { mean, max } = this.histogram;
    return {
      meanMs: toDelayMs(mean),
      p50Ms: toDelayMs(this.histogram.percentile(50)),
      p99Ms: toDelayMs(this.histogram.percentile(99)),
      maxMs: toDelayMs(max),
    };
  }

  reset(): void {
    this.histogram.reset();
  }
}

/** The histogram has the time between two ticks of its timer; the delay is what exceeds the timer's interval. */
function toDelayMs(nanoseconds: number): number {
  if (Number.isNaN(nanoseconds)) return 0;
  return Math.max(0, Math.round((nanoseconds / NS_PER_MS - RESOLUTION_MS) * 100) / 100);
}
