import { Injectable } from '@nestjs/common';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import type { BreakerState } from './breaker.js';

/** How a call to a provider ended. `refused`: the provider was not called, because of its breaker or its concurrency limit. */
export type CallOutcome = 'completed' | 'failed' | 'cancelled' | 'refused';

/** The state of a provider that the gauges show. */
interface ObservedProvider {
  readonly name: string;
  readonly breakerState: BreakerState;
  readonly concurrency: { readonly active: number; readonly waiting: number };
}

const DURATION = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320];
const STATES = ['closed', 'open', 'half-open'] as const satisfies readonly BreakerState[];

/** Prometheus metrics of this process's calls to its providers. */
@Injectable()
export class ProviderMetrics {
  private readonly observed: ObservedProvider[] = [];
  private readonly calls;
  private readonly durations;
  private readonly retries;
  private readonly fallbacks;

  constructor(registry: MetricsRegistry) {
    const labelNames = ['provider'] as const;
    this.calls = registry.counter(
      'streamgate_provider_calls_total',
      'Answers asked of a provider, retries not counted.',
      ['provider', 'outcome'] as const,
    );
    this.retries = registry.counter(
      'streamgate_provider_retries_total',
      'Tries beside the first.',
      labelNames,
    );
    this.fallbacks = registry.counter(
      'streamgate_provider_fallbacks_total',
      'Answers that the fallback gave in place of this provider.',
      labelNames,
    );
    this.durations = registry.histogram(
      'streamgate_provider_call_duration_seconds',
      'From the request to the end of an answer.',
      { buckets: DURATION, labelNames },
    );
    this.registerConcurrency(registry);
    registry.gauge('streamgate_provider_breaker_state', '1 for the state in which the breaker is.', {
      labelNames: ['provider', 'state'] as const,
      collect: (gauge) => {
        for (const { name: provider, breakerState } of this.observed)
          for (const state of STATES) gauge.set({ provider, state }, Number(breakerState === state));
      },
    });
  }

  /** Shows a provider's state in the gauges. */
  observe(provider: ObservedProvider): void {
    this.observed.push(provider);
  }

  /** Counts a call. Returns the function to call once, at its end. */
  begin(provider: string): (outcome: CallOutcome) => void {
    const begunAt = performance.now();
    return (outcome) => {
      this.calls.inc({ provider, outcome });
      if (outcome !== 'refused') this.durations.observe({ provider }, (performance.now() - begunAt) / 1000);
    };
  }

  retry(provider: string): void {
    this.retries.inc({ provider });
  }

  fallback(provider: string): void {
    this.fallbacks.inc({ provider });
  }

  private registerConcurrency(registry: MetricsRegistry): void {
    registry.gauge(
      'streamgate_provider_calls',
      'Answers that a provider is producing (active), or that wait for their turn.',
      {
        labelNames: ['provider', 'state'] as const,
        collect: (gauge) => {
          for (const { name: provider, concurrency } of this.observed) {
            gauge.set({ provider, state: 'active' }, concurrency.active);
            gauge.set({ provider, state: 'waiting' }, concurrency.waiting);
          }
        },
      },
    );
  }
}
