import { DomainError } from '../../common/domain-error.js';
import type { Delta, Provider, ProviderRequest } from '../provider.js';
import { Breaker, isRefusal, type BreakerLimits, type BreakerState } from './breaker.js';
import { ConcurrencyLimit } from './concurrency-limit.js';
import type { CallOutcome, ProviderMetrics } from './provider-metrics.js';
import { retrying, type RetryLimits } from './retries.js';

/** How a provider is treated. */
export interface GuardLimits extends BreakerLimits, RetryLimits {
  /** Most calls at once. */
  maxConcurrent: number;
  /** For one whole answer with its tries and waits, in milliseconds. */
  timeoutMs: number;
}

/**
 * A provider behind its guards: a place among those that are asked at once, a breaker, and retries until the first delta
 * has come. What fails behind that is not tried again: it was seen.
 */
export class GuardedProvider {
  readonly concurrency: ConcurrencyLimit;
  private readonly breaker: Breaker;

  constructor(
    private readonly provider: Provider,
    private readonly limits: GuardLimits,
    private readonly metrics: ProviderMetrics,
  ) {
    this.concurrency = new ConcurrencyLimit(limits.maxConcurrent);
    this.breaker = new Breaker(limits);
    metrics.watch(this);
  }

  get name(): string {
    return this.provider.name;
  }

  get models(): Provider['models'] {
    return this.provider.models;
  }

  get canContinue(): boolean {
    return this.provider.canContinue;
  }

  get breakerState(): BreakerState {
    return this.breaker.state;
  }

  /**
   * Resolves when the first delta is there. The rest is to be read, or `signal` aborted: until then it holds a place.
   * @throws {DomainError} as `Provider.stream`; `provider_unavailable` at once where the breaker is open or too many wait for a place,
   * and after 30 s without one.
   */
  async open(request: ProviderRequest): Promise<AsyncIterable<Delta>> {
    const count = this.metrics.begin(this.name);
    const giveUpAt = performance.now() + this.limits.timeoutMs;
    const timeLeft = (): number => Math.max(1, giveUpAt - performance.now());
    let isOver = false;
    let giveBack: (() => void) | undefined;
    const end = (outcome: CallOutcome): void => {
      if (isOver) return;
      isOver = true;
      request.signal.removeEventListener('abort', cancelled);
      giveBack?.();
      count(outcome);
    };
    const cancelled = (): void => end('cancelled');
    request.signal.addEventListener('abort', cancelled, { once: true });
    try {
      request.signal.throwIfAborted();
      giveBack = await this.concurrency.acquire(request.signal);
      const attempt = (): Promise<AsyncIterator<Delta>> =>
        this.breaker.run(() => begun(this.provider.stream({ ...request, timeoutMs: timeLeft() })));
      const { limits } = this;
      const onRetry = (): void => this.metrics.retry(this.name);
      const deltas = await retrying(attempt, { limits, signal: request.signal, timeLeft, onRetry });
      return watched(deltas, end);
    } catch (error) {
      // A cancel may have ended it just before the place came.
      giveBack?.();
      end(outcomeOf(error, giveBack !== undefined));
      throw error;
    }
  }
}

function outcomeOf(error: unknown, hadPlace: boolean): CallOutcome {
  if (!(error instanceof DomainError)) return 'cancelled';
  return hadPlace && !isRefusal(error) ? 'failed' : 'refused';
}

/** `deltas` when the first of them is there. */
async function begun(deltas: AsyncIterable<Delta>): Promise<AsyncIterator<Delta>> {
  const iterator = deltas[Symbol.asyncIterator]();
  let first: IteratorResult<Delta, unknown> | undefined = await iterator.next();
  return {
    next: () => {
      const step = first;
      first = undefined;
      return step ? Promise.resolve(step) : iterator.next();
    },
    return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
  };
}

/** `deltas`, and how they end. */
function watched(deltas: AsyncIterator<Delta>, end: (outcome: CallOutcome) => void): AsyncIterable<Delta> {
  const next = async (): Promise<IteratorResult<Delta, unknown>> => {
    try {
      const step = await deltas.next();
      if (step.done || step.value.type === 'finish') end('completed');
      return step;
    } catch (error) {
      end(error instanceof DomainError ? 'failed' : 'cancelled');
      throw error;
    }
  };
  const leave = async (): Promise<IteratorResult<Delta, unknown>> => {
    end('cancelled');
    return (await deltas.return?.()) ?? { done: true, value: undefined };
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: leave }) };
}
