import { Injectable } from '@nestjs/common';
import type { Counter, Histogram } from 'prom-client';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import type { ErrorCode } from '../../protocol/index.js';

/** How an event was acked. */
export type Outcome = 'ok' | ErrorCode;

/** The label of events that do not exist: their names come from clients and are unbounded. */
const UNKNOWN = 'unknown';
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** The metrics of one event, looked up once, since every event of every client is counted. */
interface EventMeters {
  event: string;
  seconds: { observe: (seconds: number) => void };
  outcomes: Map<Outcome, Countable>;
}

interface Countable {
  inc: () => void;
}

/** Counts and times the events of clients. */
@Injectable()
export class EventMetrics {
  private readonly events: Counter<'event' | 'outcome'>;
  private readonly seconds: Histogram<'event'>;
  private readonly meters = new Map<string, EventMeters>();
  private inProgress = 0;

  constructor(registry: MetricsRegistry) {
    this.events = registry.counter('streamgate_events_total', 'Events of clients that were answered.', [
      ...(['event', 'outcome'] as const),
    ]);
    this.seconds = registry.histogram(
      'streamgate_event_duration_seconds',
      'From an event of a client to its acknowledgement.',
      { labelNames: ['event'], buckets: SECONDS },
    );
    registry.gauge('streamgate_events_in_progress', 'Events of clients that are not answered yet.', {
      collect: (gauge) => gauge.set(this.inProgress),
    });
  }

  /**
   * Counts an event as in progress.
   * @param event its name; undefined where there is no such event.
   * @returns a function that must be called once, with the outcome.
   */
  begin(event: string | undefined): (outcome: Outcome) => void {
    const meters = this.metersOf(event ?? UNKNOWN);
    const startedAt = performance.now();
    this.inProgress += 1;
    return (outcome) => {
      this.inProgress -= 1;
      meters.seconds.observe((performance.now() - startedAt) / 1000);
      this.counterOf(meters, outcome).inc();
    };
  }

  private metersOf(event: string): EventMeters {
    const known = this.meters.get(event);
    if (known) return known;
    const meters = { event, seconds: this.seconds.labels(event), outcomes: new Map<Outcome, Countable>() };
    this.meters.set(event, meters);
    return meters;
  }

  private counterOf({ event, outcomes }: EventMeters, outcome: Outcome): Countable {
    const known = outcomes.get(outcome);
    if (known) return known;
    const counter = this.events.labels(event, outcome);
    outcomes.set(outcome, counter);
    return counter;
  }
}
