import { DomainError } from '../../common/domain-error.js';

/** A closed breaker lets every call through, an open one none, a half-open one has let one trial call through. */
export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerLimits {
  /** Faults in a row that open the breaker. */
  failures: number;
  /** How long it stays open, in milliseconds. The next call is then a trial that decides what follows. */
  openMs: number;
}

/** Whether an error is the provider's own passing fault: worth another try. A refused request or a user's cancel is not. */
export function isProviderFault(error: unknown): error is DomainError {
  return error instanceof DomainError && error.retryable && error.code.startsWith('provider_');
}

/** Marks an error of the breaker itself: the provider was not called. */
class BreakerOpenError extends Error {}

export function isRefusal(error: unknown): boolean {
  return error instanceof DomainError && error.cause instanceof BreakerOpenError;
}

/** Stops calling a provider that keeps failing, so that callers need not wait for the next failure. */
export class Breaker {
  private faults = 0;
  private isOnTrial = false;
  /** By `performance.now()`: the machine's clock may be set back for hours. */
  private openUntil: number | undefined;

  constructor(private readonly limits: BreakerLimits) {}

  get state(): BreakerState {
    if (this.isOnTrial) return 'half-open';
    return this.openUntil === undefined ? 'closed' : 'open';
  }

  /** Runs `call`. @throws {DomainError} `provider_unavailable` at once (see {@link isRefusal}) while open or half-open. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.openUntil !== undefined) return this.runTrial(call, this.openUntil);
    try {
      const value = await call();
      this.faults = 0;
      return value;
    } catch (error) {
      if (isProviderFault(error)) this.recordFault();
      throw error;
    }
  }

  private async runTrial<T>(call: () => Promise<T>, openUntil: number): Promise<T> {
    const leftMs = openUntil - performance.now();
    if (this.isOnTrial || leftMs > 0) throw refusal(leftMs);
    this.isOnTrial = true;
    let works = true;
    try {
      return await call();
    } catch (error) {
      // A request that was refused shows that the provider works. A cancelled trial shows nothing.
      works = error instanceof DomainError && !isProviderFault(error);
      throw error;
    } finally {
      this.isOnTrial = false;
      if (works) this.close();
      else this.open();
    }
  }

  private recordFault(): void {
    this.faults += 1;
    // Calls that began before it opened may fail after that.
    if (this.faults >= this.limits.failures && this.openUntil === undefined) this.open();
  }

  private open(): void {
    this.openUntil = performance.now() + this.limits.openMs;
  }

  private close(): void {
    this.openUntil = undefined;
    this.faults = 0;
  }
}

function refusal(leftMs: number): DomainError {
  const message =
    'The provider failed several times in a row and is not called for a moment. Try again shortly.';
  return new DomainError('provider_unavailable', message, {
    cause: new BreakerOpenError(),
    retryAfterMs: Math.max(1000, Math.ceil(leftMs)),
  });
}
