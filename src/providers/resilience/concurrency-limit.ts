import { DomainError } from '../../common/domain-error.js';

/** So many times the places may wait for one. */
const WAITING_PER_PLACE = 4;
/** Longest wait for a place: a person looks at an empty answer. */
const MAX_WAIT_MS = 30_000;
const RETRY_AFTER_MS = 2000;

/** The calls that one provider is asked at once, and those that wait for a place, first come first served. */
export class ConcurrencyLimit {
  private readonly waiters = new Set<() => void>();
  private held = 0;

  constructor(private readonly count: number) {}

  get taken(): number {
    return this.held;
  }

  get waiting(): number {
    return this.waiters.size;
  }

  /**
   * Takes a place, and waits up to 30 s where none is free; gives what gives it back, once.
   * @throws {DomainError} `provider_unavailable` where too many wait or it took too long, or the reason of `signal`.
   */
  async acquire(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.held < this.count) this.held += 1;
    // Who gives a place back hands it to the first who waits: it stays counted.
    else await this.turn(signal);
    let isHeld = true;
    return () => {
      if (isHeld) this.giveBack();
      isHeld = false;
    };
  }

  private giveBack(): void {
    const [next] = this.waiters;
    if (next) next();
    else this.held -= 1;
  }

  private turn(signal: AbortSignal): Promise<void> {
    if (this.waiters.size >= this.count * WAITING_PER_PLACE) return Promise.reject(busy('many wait already'));
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        this.waiters.delete(enter);
      };
      const enter = (): void => {
        leave();
        resolve();
      };
      const refuse = (error: Error): void => {
        leave();
        reject(error);
      };
      const abort = (): void => refuse(signal.reason as Error);
      const timer = setTimeout(() => refuse(busy('none ended in time')), MAX_WAIT_MS);
      signal.addEventListener('abort', abort, { once: true });
      this.waiters.add(enter);
    });
  }
}

function busy(why: string): DomainError {
  const message = `As many answers as may be asked of the provider at once are under way, and ${why}. Ask again in a moment.`;
  return new DomainError('provider_unavailable', message, { retryAfterMs: RETRY_AFTER_MS });
}
