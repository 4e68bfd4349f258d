import { Injectable } from '@nestjs/common';
import type { Counter, Gauge } from 'prom-client';
import { MetricsRegistry } from '../platform/metrics/registry.js';
import { QueueSampleStore, type QueueSample } from './queue-sample.store.js';

const STATES = ['queued', 'expired', 'dropped', 'failed'] as const;
/** Shortest pause between two samples. */
const PAUSE_MS = 5000;
/** The pause is at least this many times the duration of the last sample: sampling takes 5 % of the time at most. */
const PAUSE_FACTOR = 20;

/**
 * Gauges of the queue. A read of the metrics counts the queue, unless a recent sample is there. When counting fails, the
 * gauges have no value: an old figure would look like a current one.
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
            for (const state of STATES) self.set({ state }, deliveries[state]);
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
    // After `reset` a gauge without labels is 0, which would look like a count.
    gauge.remove({});
    if (sample) fill(sample);
  }

  private current(): Promise<QueueSample | null> {
    if (this.sample && performance.now() < this.sampleAgainAt) return this.sample;
    this.sampleAgainAt = Infinity;
    this.sample = this.sampleNow();
    return this.sample;
  }

  private async sampleNow(): Promise<QueueSample | null> {
    const startedAt = performance.now();
    try {
      return await this.store.read();
    } catch {
      this.failures.inc();
      return null;
    } finally {
      const now = performance.now();
      this.sampleAgainAt = now + Math.max(PAUSE_MS, PAUSE_FACTOR * (now - startedAt));
    }
  }
}
