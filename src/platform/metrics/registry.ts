import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Name of a metric of our own. */
type Name = `streamgate_${string}`;

interface GaugeOptions<L extends string> {
  labelNames?: readonly L[];
  /** Sets the gauge when somebody reads it. It should not throw: the page of metrics leaves the gauge as it was. */
  collect?: (gauge: Gauge<L>) => void | Promise<void>;
}

/**
 * All metrics of one application instance: several run in one process of the tests, so prom-client's own default registry is
 * never used. Each feature registers its own here, in a `*-metrics.ts` beside its code. Values of labels come from closed
 * lists, never from a client; `labels()` of what is counted often is looked up once and kept.
 */
@Injectable()
export class MetricsRegistry extends Registry {
  /** A new counter; its name ends in `_total`. */
  counter<L extends string = never>(
    name: `${Name}_total`,
    help: string,
    labelNames: readonly L[] = [],
  ): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this] });
  }

  /** A new gauge: set by its owner, or by `collect` whenever somebody reads it. */
  gauge<L extends string = never>(
    name: Name,
    help: string,
    { labelNames = [], collect }: GaugeOptions<L> = {},
  ): Gauge<L> {
    const gauge: Gauge<L> = new Gauge({
      ...{ name, help, labelNames, registers: [this] },
      ...(collect && { collect: () => collect(gauge) }),
    });
    return gauge;
  }

  /** A new histogram with these upper bounds; durations are in seconds, as Prometheus wants them. */
  histogram<L extends string = never>(
    name: Name,
    help: string,
    { buckets, labelNames = [] }: { buckets: readonly number[]; labelNames?: readonly L[] },
  ): Histogram<L> {
    return new Histogram({ name, help, labelNames, buckets: [...buckets], registers: [this] });
  }
}
