import { Injectable } from '@nestjs/common';
import { MetricsRegistry } from '../metrics/registry.js';

/** Names of all limits in the metrics. */
export type LimitName =
  | 'connection_events'
  | 'user_events'
  | 'events_waiting'
  | 'streams'
  | 'user_connects'
  | 'address_connects'
  | 'user_http'
  | 'address_http'
  | 'address_probes'
  | 'address_polling'
  | 'auth_failures'
  | 'connections'
  | 'user_connections'
  | 'user_viewers';

/** Counts what limits and caps refuse, by limit only. */
@Injectable()
export class LimitsMetrics {
  private readonly refusals;

  constructor(registry: MetricsRegistry) {
    this.refusals = registry.counter(
      'streamgate_rate_limit_refusals_total',
      'Refusals because of a rate limit or a cap of connections.',
      ['limit'],
    );
  }

  /** Returns a function that counts one refusal of `limit`. */
  refusalsOf(limit: LimitName): () => void {
    const counter = this.refusals.labels({ limit });
    return () => counter.inc();
  }
}
