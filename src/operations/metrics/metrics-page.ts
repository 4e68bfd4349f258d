import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics } from 'prom-client';
import { MetricsRegistry } from '../../platform/metrics/registry.js';

/** All metrics as Prometheus reads them, Node's own under prom-client's names among them. */
@Injectable()
export class MetricsPage {
  private running: Promise<string> | undefined;

  constructor(private readonly registry: MetricsRegistry) {
    collectDefaultMetrics({ register: registry });
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** The text now. Who asks while it is being made gets the same: many readers cost as much as one. */
  text(): Promise<string> {
    this.running ??= this.registry.metrics().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }
}
