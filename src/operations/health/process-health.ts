import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { VERSION } from '../../common/project.js';
import { PeriodicTask } from '../../common/periodic-task.js';
import { Draining } from '../../platform/lifecycle/draining.js';
import { EventLoopDelay } from '../../platform/metrics/event-loop-delay.js';

/** The figures of the event loop cover at most this time, in milliseconds. */
const WINDOW_MS = 60_000;

/** Checks the process itself: whether it is shutting down, its memory, and the delay of its event loop. */
@Injectable()
export class ProcessHealth implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly resets = new PeriodicTask({
    name: 'reset the event loop delay',
    intervalMs: WINDOW_MS,
    run: () => this.eventLoop.reset(),
  });

  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly draining: Draining,
    private readonly eventLoop: EventLoopDelay,
  ) {}

  onApplicationBootstrap(): void {
    this.resets.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.resets.stop();
  }

  /** Down while the process is shutting down. High figures do not make it down: they need an alert, and a restart does not help. */
  check(): HealthIndicatorResult {
    const indicator = this.indicators.check('process');
    const { rss, heapUsed } = process.memoryUsage();
    const { meanMs: mean, p99Ms: p99 } = this.eventLoop.read();
    const figures = {
      version: VERSION,
      uptimeSeconds: Math.round(process.uptime()),
      memory: { rssBytes: rss, heapUsedBytes: heapUsed },
      eventLoopDelayMs: { mean, p99 },
    };
    if (!this.draining.active) return indicator.up(figures);
    return indicator.down({ ...figures, message: 'the server is shutting down' });
  }
}
