import { ConcurrencyLimit } from '../../common/concurrency-limit.js';
import { sleep, withAbort } from '../../common/deadline.js';
import { DomainError } from '../../common/domain-error.js';
import type { Delta, Provider, ProviderRequest } from '../provider.js';
import { Breaker, isProviderFault, isRefusal, type BreakerLimits, type BreakerState } from './breaker.js';
import type { CallOutcome, ProviderMetrics } from './provider-metrics.js';

export interface GuardLimits extends BreakerLimits {
  /** Most calls at once. */
  maxConcurrent: number;
  /** For the first word, with all retries and the waits between them, in milliseconds. */
  firstTokenTimeoutMs: number;
  /** Tries after the first. */
  retries: number;
  /** Shortest wait before the second try, in milliseconds; doubled for each further one, plus up to as much by chance. */
  backoffMs: number;
}

/** How many calls may wait, for each that may run. */
const WAITING_PER_CALL = 4;
/** Longest wait for a turn: a person is looking at an empty answer. */
const MAX_WAIT_MS = 30_000;
const BUSY_RETRY_AFTER_MS = 2000;
/** Longest wait between two tries. A provider whose `Retry-After` asks for more is not called again. */
const MAX_BACKOFF_MS = 5000;

/**
 * A provider with a limit on concurrent calls, a breaker, and retries until the first delta. Failures after the first
 * delta are not retried: clients have seen a part of the answer.
 */
export class GuardedProvider {
  readonly concurrency: ConcurrencyLimit;
  private readonly breaker: Breaker;

  constructor(
    private readonly provider: Provider,
    private readonly limits: GuardLimits,
    private readonly metrics: ProviderMetrics,
  ) {
    this.concurrency = new ConcurrencyLimit(limits.maxConcurrent, {
      maxWaiting: limits.maxConcurrent * WAITING_PER_CALL,
      maxWaitMs: MAX_WAIT_MS,
      onRefused: (why) => busy(limits.maxConcurrent, why),
    });
    this.breaker = new Breaker(limits);
    metrics.observe(this);
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
   * Resolves with the deltas when the first of them is there. The caller must read them all, leave the iteration or abort
   * `signal`: until then the call counts against the concurrency limit.
   * @throws {DomainError} as `Provider.stream`; `provider_unavailable` at once where the breaker is open or too many calls
   * wait, and after 30 s of waiting for a turn.
   */
  async open(request: ProviderRequest): Promise<AsyncIterable<Delta>> {
    const { signal } = request;
    const countEnd = this.metrics.begin(this.name);
    let isOver = false;
    let release: (() => void) | undefined;
    const end = (outcome: CallOutcome): void => {
      if (isOver) return;
      isOver = true;
      signal.removeEventListener('abort', onAbort);
      release?.();
      countEnd(outcome);
    };
    const onAbort = (): void => end('cancelled');
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      release = await this.concurrency.acquire(signal);
      return endingWith(await this.firstSuccess(request), end);
    } catch (error) {
      // Where the signal fired before the turn came, `end` had nothing to release.
      release?.();
      end(outcomeOf(error, release !== undefined));
      throw error;
    }
  }

  /** Calls the provider until its first delta comes, or a failure that is not retried. */
  private async firstSuccess(request: ProviderRequest): Promise<AsyncIterator<Delta>> {
    const { signal } = request;
    const giveUpAt = performance.now() + this.limits.firstTokenTimeoutMs;
    const timeLeft = (): number => Math.max(1, Math.ceil(giveUpAt - performance.now()));
    const attempt = (): Promise<AsyncIterator<Delta>> =>
      this.breaker.run(() =>
        afterFirstDelta(this.provider.stream({ ...request, firstTokenTimeoutMs: timeLeft() })),
      );
    for (let retry = 0; ; retry += 1) {
      signal.throwIfAborted();
      try {
        return await withAbort(attempt(), signal);
      } catch (error) {
        if (retry >= this.limits.retries || !isProviderFault(error) || isRefusal(error)) throw error;
        const askedMs = error.retryAfterMs;
        if ((askedMs ?? 0) > MAX_BACKOFF_MS || (askedMs ?? this.limits.backoffMs) >= timeLeft()) throw error;
        const backoffMs = this.limits.backoffMs * 2 ** retry * (1 + Math.random());
        this.metrics.retry(this.name);
        await sleep(Math.max(askedMs ?? 0, Math.min(MAX_BACKOFF_MS, backoffMs)), signal);
      }
    }
  }
}

function busy(maxConcurrent: number, why: string): DomainError {
  const message = `The provider is at its limit of ${maxConcurrent} concurrent answers, and the ${why}. Try again shortly.`;
  return new DomainError('provider_unavailable', message, { retryAfterMs: BUSY_RETRY_AFTER_MS });
}

function outcomeOf(error: unknown, hadTurn: boolean): CallOutcome {
  if (!(error instanceof DomainError)) return 'cancelled';
  return hadTurn && !isRefusal(error) ? 'failed' : 'refused';
}

/** Resolves with all of `deltas` when the first of them is there. */
async function afterFirstDelta(deltas: AsyncIterable<Delta>): Promise<AsyncIterator<Delta>> {
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

/** Passes `deltas` on, and calls `end` with how they end. */
function endingWith(deltas: AsyncIterator<Delta>, end: (outcome: CallOutcome) => void): AsyncIterable<Delta> {
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
