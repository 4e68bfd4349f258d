import { Injectable } from '@nestjs/common';
import type { MetricValueWithName } from 'prom-client';
import { MetricsRegistry } from '../../platform/metrics/registry.js';

type Labels = Readonly<Record<string, string>>;

/** Counts of a histogram up to each upper bound, in seconds; the last has none. */
export interface Buckets {
  bounds: number[];
  counts: number[];
}

/** Reads single metrics by name, as the page of metrics would show them. */
@Injectable()
export class MetricReader {
  constructor(private readonly registry: MetricsRegistry) {}

  /** The sum of a metric's values whose labels are these; null where there is no value. */
  async sum(name: string, labels: Labels = {}): Promise<number | null> {
    const values = await this.values(name);
    const found = values.filter((value) => fits(value, labels));
    return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0);
  }

  /** The buckets of a histogram. */
  async buckets(name: string): Promise<Buckets> {
    const values = (await this.values(name)).filter(({ metricName }) => metricName === `${name}_bucket`);
    const bounds = values.map(({ labels }) => Number(labels['le'])).filter(Number.isFinite);
    return { bounds, counts: values.map(({ value }) => value) };
  }

  /** The labels of a metric's values that are not 0. */
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
