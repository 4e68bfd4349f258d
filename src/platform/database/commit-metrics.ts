import { Injectable } from '@nestjs/common';
import type { Counter, Histogram } from 'prom-client';
import type { GroupCommitObserver } from '../../common/group-commit.js';
import { MetricsRegistry } from '../metrics/registry.js';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const ITEMS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** Logs that are written by group commit: messages, chunks of answers, and positions of members. */
type LogName = 'messages' | 'chunks' | 'acks';

/** Counts group commits, their sizes and times. */
@Injectable()
export class CommitMetrics {
  private readonly seconds: Histogram<'log'>;
  private readonly items: Histogram<'log'>;
  private readonly failures: Counter<'log'>;
  private readonly waiting = new Map<LogName, () => number>();

  constructor(registry: MetricsRegistry) {
    const labelNames = ['log'] as const;
    this.seconds = registry.histogram('streamgate_commit_duration_seconds', 'Time of a group commit.', {
      labelNames,
      buckets: SECONDS,
    });
    this.items = registry.histogram('streamgate_commit_items', 'Items written by one group commit.', {
      labelNames,
      buckets: ITEMS,
    });
    this.failures = registry.counter(
      'streamgate_commit_failures_total',
      'Group commits that failed.',
      labelNames,
    );
    registry.gauge(
      'streamgate_commit_waiting',
      'Items that wait for a group commit or are being committed.',
      {
        labelNames,
        collect: (gauge) => {
          for (const [log, count] of this.waiting) gauge.set({ log }, count());
        },
      },
    );
  }

  /** Returns the observer for the group commits of `log`. */
  of(log: LogName): GroupCommitObserver {
    const seconds = this.seconds.labels(log);
    const items = this.items.labels(log);
    const failures = this.failures.labels(log);
    return {
      countWaiting: (count) => this.waiting.set(log, count),
      committed: (count, durationMs) => {
        items.observe(count);
        seconds.observe(durationMs / 1000);
      },
      failed: (durationMs) => {
        failures.inc();
        seconds.observe(durationMs / 1000);
      },
    };
  }
}
