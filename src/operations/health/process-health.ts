import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Draining } from '../../platform/lifecycle/draining.js';

const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;
/** How long delays are gathered before they are forgotten, in milliseconds. */
const WINDOW_MS = 60_000;

/** The process itself: whether it is leaving, its memory, and how long its event loop keeps things waiting. */
@Injectable()
export class ProcessHealth implements OnApplicationShutdown {
  private readonly delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  private readonly forgetting: NodeJS.Timeout;

  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly draining: Draining,
  ) {
    this.delay.enable();
    this.forgetting = setInterval(() => this.delay.reset(), WINDOW_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.forgetting);
    this.delay.disable();
  }

  /** Down while the process is leaving. High figures are no reason: an alert tells of them, and a restart mends nothing. */
  check(): HealthIndicatorResult {
    const indicator = this.indicators.check('process');
    const { rss, heapUsed } = process.memoryUsage();
    const figures = {
      uptimeSeconds: Math.round(process.uptime()),
      memory: { rssBytes: rss, heapUsedBytes: heapUsed },
      eventLoopDelayMs: { mean: this.over(this.delay.mean), p99: this.over(this.delay.percentile(99)) },
    };
    if (!this.draining.active) return indicator.up(figures);
    return indicator.down({ ...figures, message: 'the server is shutting down' });
  }

  /** What a tick took longer than the monitor's own interval; 0 before the first. */
  private over(ns: number): number {
    return Number.isNaN(ns) ? 0 : Math.max(0, Math.round((ns / NS_PER_MS - RESOLUTION_MS) * 100) / 100);
  }
}
