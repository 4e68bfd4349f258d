import { Injectable } from '@nestjs/common';
import { Counter } from 'prom-client';
import { MetricsRegistry } from '../metrics/registry.js';
import { Relay } from './relay.js';

/**
 * Counts what is published on the relay. The relay itself only adds numbers, because each message takes several
 * publications.
 */
@Injectable()
export class RelayMetrics {
  readonly published: Counter<'kind'>;

  constructor(registry: MetricsRegistry, relay: Relay) {
    this.published = new Counter({
      name: 'streamgate_relay_published_total',
      help: 'Events published on the relay by this process.',
      labelNames: ['kind'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [kind, count] of Object.entries(relay.published)) this.inc({ kind }, count);
      },
    });
  }
}
