import { Injectable } from '@nestjs/common';
import type { Counter, Gauge } from 'prom-client';
import { MetricsRegistry } from '../platform/metrics/registry.js';
import { QueueSampleStore, type QueueSample } from './queue-sample.store.js';

const STATES = ['queued', 'expired', 'dropped', 'failed'] as const;
/** Shortest time from one sample to the next, in milliseconds. */
const PAUSE_MS = 5000;
/** Sampling takes at most one part of so many of the database's time: the longer the last took, the longer the pause. */
const SHARE = 20;

/**
 * The queue, counted when somebody reads the metrics, but not each time. Where it cannot be counted, its gauges have no value:
 * an old figure would look like a good one.
 */
@Injectable()
export class QueueMetrics {
  private readonly failures: Counter;
  private sample: Promise<QueueSample | null> | undefined;
  private sampleAgainAt = 0;

  constructor(
    registry: MetricsRegistry,
    private readonly store: QueueSampleStore,
  ) {
    const gauge = (
      name: 'users' | 'oldest_seconds',
      help: string,
      value: (sample: QueueSample) => number,
    ): Gauge =>
      registry.gauge(`streamgate_queue_${name}`, help, {
        collect: (self) => this.set(self, (sample) => self.set(value(sample))),
      });
    gauge('users', 'Users for whom something waits.', ({ users }) => users);
    gauge('oldest_seconds', 'Age of the oldest delivery that waits.', ({ oldestSeconds }) => oldestSeconds);
    registry.gauge(
      'streamgate_queue_deliveries',
      'Deliveries that wait, or ended without an ack within a week.',
      {
        labelNames: ['state'],
        collect: (self) =>
          this.set(self, ({ deliveries }) => {
            for (const state of STATES) self.set({ state }, deliveries[state] ?? 0);
          }),
      },
    );
    this.failures = registry.counter(
      'streamgate_queue_sample_failures_total',
      'Times that the queue could not be counted within a second.',
    );
  }

  private async set(gauge: Gauge, fill: (sample: QueueSample) => void): Promise<void> {
    const sample = await this.current();
    gauge.reset();
    // A gauge without labels is 0 then, which would be a figure.
    gauge.remove({});
    if (sample) fill(sample);
  }

  private current(): Promise<QueueSample | null> {
    if (this.sample && performance.now() < this.sampleAgainAt) return this.sample;
    this.sampleAgainAt = Infinity;
    this.sample = this.take();
    return this.sample;
  }

  private async take(): Promise<QueueSample | null> {
    const startedAt = performance.now();
    try {
      return await this.store.read();
    } catch {
      this.failures.inc();
      return null;
    } finally {
      const now = performance.now();
      this.sampleAgainAt = now + Math.max(PAUSE_MS, SHARE * (now - startedAt));
    }
  }
}
