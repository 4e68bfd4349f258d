import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics } from 'prom-client';
import { MetricsRegistry } from '../../platform/metrics/registry.js';

/** Renders all metrics in the text format of Prometheus, with those of Node under prom-client's names. */
@Injectable()
export class MetricsPage {
  private running: Promise<string> | undefined;

  constructor(private readonly registry: MetricsRegistry) {
    collectDefaultMetrics({ register: registry });
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Returns the current text. Concurrent readers share one rendering. */
  text(): Promise<string> {
    this.running ??= this.registry.metrics().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }
}
