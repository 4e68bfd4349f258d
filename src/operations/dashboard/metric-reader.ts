import { Injectable } from '@nestjs/common';
import type { MetricValueWithName } from 'prom-client';
import { MetricsRegistry } from '../../platform/metrics/registry.js';

type Labels = Readonly<Record<string, string>>;

/** Cumulative counts of a histogram by upper bound, in seconds. The last bucket has no bound. */
export interface Buckets {
  bounds: number[];
  counts: number[];
}

/** Reads single metrics by name, with the values that the metrics page shows. */
@Injectable()
export class MetricReader {
  constructor(private readonly registry: MetricsRegistry) {}

  /** Returns the sum of a metric's values with these labels; null if there is none. */
  async sum(name: string, labels: Labels = {}): Promise<number | null> {
    const values = await this.values(name);
    const found = values.filter((value) => fits(value, labels));
    return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0);
  }

  /** Returns the buckets of a histogram. */
  async buckets(name: string): Promise<Buckets> {
    const values = (await this.values(name)).filter(({ metricName }) => metricName === `${name}_bucket`);
    const bounds = values.map(({ labels }) => Number(labels['le'])).filter(Number.isFinite);
    return { bounds, counts: values.map(({ value }) => value) };
  }

  /** Returns the labels of those values of a metric that are not 0. */
  async set(name: string): Promise<Labels[]> {
    const values = await this.values(name);
    return values.filter(({ value }) => value !== 0).map(({ labels }) => labels as Labels);
  }

  private async values(name: string): Promise<MetricValueWithName<string>[]> {
    const metric = this.registry.getSingleMetric(name);
    return metric ? (await metric.get()).values : [];
  }
}

function fits({ labels }: MetricValueWithName<string>, wanted: Labels): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}
