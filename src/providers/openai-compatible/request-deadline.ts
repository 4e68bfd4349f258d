import { DomainError } from '../../common/domain-error.js';

/** How long a provider may take; both in milliseconds and above zero. */
export interface RequestDeadlineLimits {
  /** For one whole answer. */
  timeoutMs: number;
  /** Without a word, before the first one and between any two. */
  idleTimeoutMs: number;
}

/**
 * How long we wait for one answer. Only time spent waiting counts: a reader that is slow or pauses the stream
 * does not use up the provider's time. Its `signal` ends the connection when time is up or nobody wants the answer.
 */
export class RequestDeadline {
  private readonly controller = new AbortController();
  private waitedMs = 0;
  private silentMs = 0;
  private isReleased = false;

  constructor(
    private readonly asked: AbortSignal,
    private readonly limits: RequestDeadlineLimits,
  ) {
    asked.addEventListener('abort', this.stop, { once: true });
    if (asked.aborted) this.stop();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Waits for `operation`, which must end when {@link signal} does. Throws why the waiting ended, if it did. */
  async wait<T>(operation: () => PromiseLike<T>): Promise<T> {
    this.signal.throwIfAborted();
    const { timeoutMs, idleTimeoutMs } = this.limits;
    const silenceLeft = idleTimeoutMs - this.silentMs;
    const timeLeft = timeoutMs - this.waitedMs;
    const started = performance.now();
    const timer = setTimeout(
      () => this.controller.abort(timeLeft <= silenceLeft ? tooLong(timeoutMs) : tooSilent(idleTimeoutMs)),
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

  /** The provider has said something: its silence begins anew. */
  heard(): void {
    this.silentMs = 0;
  }

  /** The answer is whole: nothing ends its connection any more. */
  release(): void {
    this.isReleased = true;
    this.asked.removeEventListener('abort', this.stop);
  }

  /** Ends the connection, if it is still there, with an `AbortError`; safe to call again. */
  readonly stop = (): void => {
    if (this.isReleased) return;
    this.asked.removeEventListener('abort', this.stop);
    this.controller.abort(new DOMException('The answer is no longer wanted.', 'AbortError'));
  };
}

function tooLong(timeoutMs: number): DomainError {
  return new DomainError(
    'provider_timeout',
    `The provider did not finish its answer within ${timeoutMs} ms.`,
  );
}

function tooSilent(idleTimeoutMs: number): DomainError {
  return new DomainError('provider_timeout', `The provider was silent for ${idleTimeoutMs} ms.`);
}
