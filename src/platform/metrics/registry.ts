import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Name of a metric of our own. */
type Name = `streamgate_${string}`;

interface GaugeOptions<L extends string> {
  labelNames?: readonly L[];
  /** Sets the gauge at each read. It should not throw: the gauge then keeps its last value. */
  collect?: (gauge: Gauge<L>) => void | Promise<void>;
}

/**
 * All metrics of one application instance. Tests run several in one process, so prom-client's default registry is never
 * used. Each feature registers its metrics in a `*-metrics.ts` beside its code. Label values come from closed lists,
 * never from a client. Frequent counters look up `labels()` once and keep the result.
 */
@Injectable()
export class MetricsRegistry extends Registry {
  /** Creates a counter; its name ends in `_total`. */
  counter<L extends string = never>(
    name: `${Name}_total`,
    help: string,
    labelNames: readonly L[] = [],
  ): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this] });
  }

  /** Creates a gauge, which its owner sets, or `collect` at each read. */
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

  /** Creates a histogram with these upper bounds. Durations are in seconds, as Prometheus expects. */
  histogram<L extends string = never>(
    name: Name,
    help: string,
    { buckets, labelNames = [] }: { buckets: readonly number[]; labelNames?: readonly L[] },
  ): Histogram<L> {
    return new Histogram({ name, help, labelNames, buckets: [...buckets], registers: [this] });
  }
}
