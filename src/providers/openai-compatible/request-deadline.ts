import { DomainError } from '../../common/domain-error.js';

/** How long a provider may take; both in milliseconds and above zero. */
export interface RequestDeadlineLimits {
  /** For one whole answer from its first word on, or from when `firstTokenTimeoutMs` is over. */
  timeoutMs: number;
  /** For silence between any two words. */
  idleTimeoutMs: number;
  /** For silence before the first word: a large model may have to be loaded, and aborting would restart that. By default `idleTimeoutMs`. */
  firstTokenTimeoutMs?: number;
}

/**
 * The time limits of one request. Only time spent waiting for the provider counts: a slow reader, or one that pauses
 * the stream, uses up none of it. {@link signal} fires when the time is up or the answer is no longer wanted.
 */
export class RequestDeadline {
  private readonly controller = new AbortController();
  private waitedMs = 0;
  private silentMs = 0;
  private hasBegun = false;
  private isReleased = false;

  constructor(
    private readonly requested: AbortSignal,
    private readonly limits: RequestDeadlineLimits,
  ) {
    requested.addEventListener('abort', this.cancel, { once: true });
    if (requested.aborted) this.cancel();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Waits for `operation`, which must end when {@link signal} fires. Throws the signal's reason if it has fired. */
  async run<T>(operation: () => PromiseLike<T>): Promise<T> {
    this.signal.throwIfAborted();
    const { timeoutMs, idleTimeoutMs, firstTokenTimeoutMs = idleTimeoutMs } = this.limits;
    const silenceMs = this.hasBegun ? idleTimeoutMs : firstTokenTimeoutMs;
    const totalMs = this.hasBegun ? timeoutMs : firstTokenTimeoutMs + timeoutMs;
    const silenceLeft = silenceMs - this.silentMs;
    const timeLeft = totalMs - this.waitedMs;
    const started = performance.now();
    const timer = setTimeout(
      () => this.controller.abort(timeLeft <= silenceLeft ? tooLong(totalMs) : tooSilent(silenceMs)),
      Math.max(0, Math.min(silenceLeft, timeLeft)),
    );
    try {
      const value = await operation();
      this.signal.throwIfAborted();
      return value;
    } finally {
      clearTimeout(timer);
      const elapsed = performance.now() - started;
      this.waitedMs += elapsed;
      this.silentMs += elapsed;
    }
  }

  /** Starts the timeout for silence anew: the provider has sent something, words of the answer if `hasWords`. */
  resetIdle(hasWords: boolean): void {
    this.silentMs = 0;
    if (this.hasBegun || !hasWords) return;
    this.hasBegun = true;
    this.waitedMs = 0;
  }

  /** Lifts the limits: the answer is whole, and its connection may be used again. */
  release(): void {
    this.isReleased = true;
    this.requested.removeEventListener('abort', this.cancel);
  }

  /** Ends the request with an `AbortError`, unless it was released. Safe to call again. */
  readonly cancel = (): void => {
    if (this.isReleased) return;
    this.requested.removeEventListener('abort', this.cancel);
    this.controller.abort(new DOMException('The answer is no longer wanted.', 'AbortError'));
  };
}

function tooLong(timeoutMs: number): DomainError {
  return new DomainError(
    'provider_timeout',
    `The provider did not finish its answer within ${timeoutMs} ms.`,
  );
}

function tooSilent(silenceMs: number): DomainError {
  return new DomainError('provider_timeout', `The provider was silent for ${silenceMs} ms.`);
}
