import { DelegateBackoff, handleWhen, retry, type IRetryBackoffContext } from 'cockatiel';
import { isProviderFault, isRefusal } from './breaker.js';
import { withAbort } from './with-abort.js';

/** No longer than this is waited for a provider, whatever its `Retry-After`: a person looks at an empty answer. */
const MAX_WAIT_MS = 5000;

export interface RetryLimits {
  /** Tries beside the first. */
  retries: number;
  /** Shortest wait before the second try; doubled for each further one, with as much again by chance. */
  backoffMs: number;
}

interface Retrying {
  limits: RetryLimits;
  /** Ends the waits at once. */
  signal: AbortSignal;
  /** How much time there is for all tries and waits, in milliseconds. */
  timeLeft: () => number;
  onRetry: () => void;
}

/**
 * Runs `attempt` until it succeeds, while its failure is a provider's that passes. A `Retry-After` beyond 5 s or the
 * time that is left is not waited for. @throws the last failure, or the reason of the signal.
 */
export function retrying<T>(attempt: () => Promise<T>, options: Retrying): Promise<T> {
  const { limits, signal, timeLeft, onRetry } = options;
  const mayRetry = (error: Error): boolean =>
    isProviderFault(error) &&
    !isRefusal(error) &&
    (error.retryAfterMs ?? 0) <= MAX_WAIT_MS &&
    (error.retryAfterMs ?? limits.backoffMs) < timeLeft();
  const policy = retry(handleWhen(mayRetry), {
    maxAttempts: limits.retries,
    backoff: new DelegateBackoff((context) => waitOf(context, limits.backoffMs)),
  });
  policy.onRetry(onRetry);
  // The library's own waits do not hear of the signal.
  const work = policy.execute(() => {
    signal.throwIfAborted();
    return attempt();
  });
  return withAbort(work, signal);
}

function waitOf({ attempt, result }: IRetryBackoffContext<unknown>, backoffMs: number): number {
  const shortest = backoffMs * 2 ** (attempt - 1);
  const wait = Math.min(MAX_WAIT_MS, shortest * (1 + Math.random()));
  const asked = 'error' in result && isProviderFault(result.error) ? result.error.retryAfterMs : undefined;
  return Math.max(asked ?? 0, wait);
}
