interface ConcurrencyOptions {
  /** How many may wait for their turn. */
  maxWaiting: number;
  /** How long each may wait, in milliseconds. */
  maxWaitMs: number;
  /** Returns the error for a call that may not wait, or has waited too long. */
  onRefused: (why: 'queue is full' | 'wait timed out') => Error;
}

/** Limits how many calls run at once. Further calls wait for their turn, first come first served. */
export class ConcurrencyLimit {
  private readonly waiters = new Set<() => void>();
  private running = 0;

  /** Without `options` any number of calls may wait, for as long as it takes. */
  constructor(
    private readonly max: number,
    private readonly options?: ConcurrencyOptions,
  ) {}

  get active(): number {
    return this.running;
  }

  get waiting(): number {
    return this.waiters.size;
  }

  /**
   * Resolves when it is the caller's turn, with the function that ends the turn; calling that again does nothing.
   * Rejects with the reason of `signal`, or with the error of `onRefused`.
   */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.running < this.max) this.running += 1;
    // `release` hands its turn over to a waiter, so `running` does not change.
    else await this.wait(signal);
    let isHeld = true;
    return () => {
      if (isHeld) this.release();
      isHeld = false;
    };
  }

  private release(): void {
    const [next] = this.waiters;
    if (next) next();
    else this.running -= 1;
  }

  private wait(signal?: AbortSignal): Promise<void> {
    const { waiters, options } = this;
    if (options && waiters.size >= options.maxWaiting)
      return Promise.reject(options.onRefused('queue is full'));
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        waiters.delete(enter);
      };
      const enter = (): void => {
        leave();
        resolve();
      };
      const refuse = (error: Error): void => {
        leave();
        reject(error);
      };
      const abort = (): void => refuse(signal?.reason as Error);
      const timer =
        options && setTimeout(() => refuse(options.onRefused('wait timed out')), options.maxWaitMs);
      signal?.addEventListener('abort', abort, { once: true });
      waiters.add(enter);
    });
  }
}
