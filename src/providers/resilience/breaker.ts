import {
  BrokenCircuitError,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  type CircuitBreakerPolicy,
  type CircuitState,
  type IBackoff,
} from 'cockatiel';
import { DomainError } from '../../common/domain-error.js';

/** How a provider's breaker stands: it lets everything through, nothing, or one trial. A cancelled trial leaves it open. */
export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerLimits {
  /** Faults in a row after which nothing is asked any more. */
  failures: number;
  /** How long, in milliseconds; then one call is let through, and what comes of it decides. */
  openMs: number;
}

/** What a provider's own fault is: worth another try, and a sign that it is in trouble. Not a refused request, nor a user's cancel. */
export function isProviderFault(error: unknown): error is DomainError {
  return error instanceof DomainError && error.retryable && error.code.startsWith('provider_');
}

// The last is one that an operator's hand would make.
const STATES = ['closed', 'open', 'half-open', 'open'] as const satisfies Record<CircuitState, BreakerState>;

/** A trial was cancelled: nothing is known of the provider. To the library every error that is no fault is a success. */
class UndecidedError extends Error {}

function undecided(error: unknown): never {
  throw error instanceof DomainError ? error : new UndecidedError('cancelled', { cause: error });
}

function isDecidedAgainst(error: unknown): boolean {
  return isProviderFault(error) || error instanceof UndecidedError;
}

/** Spares a provider that fails, and its callers the wait for it. */
export class Breaker {
  private readonly policy: CircuitBreakerPolicy;
  /** By `performance.now()`. */
  private openedAt = 0;

  constructor(private readonly limits: BreakerLimits) {
    this.policy = circuitBreaker(handleWhen(isDecidedAgainst), {
      halfOpenAfter: this.pause(),
      breaker: new ConsecutiveBreaker(limits.failures),
    });
    this.policy.onBreak(() => {
      this.openedAt = performance.now();
    });
  }

  get state(): BreakerState {
    return STATES[this.policy.state];
  }

  /** Runs `call`. @throws {DomainError} `provider_unavailable` at once (see {@link isRefusal}) while it is open or on trial. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    // The library would let others wait for the end of the trial.
    if (this.state === 'half-open') throw this.refusal(new BrokenCircuitError());
    const isTrial = this.state === 'open';
    try {
      return await this.policy.execute(isTrial ? () => call().catch(undecided) : call);
    } catch (error) {
      if (error instanceof UndecidedError) throw error.cause;
      throw error instanceof BrokenCircuitError ? this.refusal(error) : error;
    }
  }

  private refusal(cause: BrokenCircuitError): DomainError {
    const message = 'The provider has failed several times in a row and is left alone for a moment.';
    return new DomainError('provider_unavailable', message, {
      cause,
      retryAfterMs: Math.max(1000, Math.ceil(this.leftMs)),
    });
  }

  private get leftMs(): number {
    return this.openedAt + this.limits.openMs - performance.now();
  }

  /** The library measures by the machine's clock, which may be set back for hours: it is told that a pause is over, or has no end. */
  private pause(): IBackoff<unknown> {
    const leftMs = (): number => this.leftMs;
    const pause: IBackoff<unknown> = {
      get duration() {
        return leftMs() > 0 ? Infinity : -Infinity;
      },
      next: () => pause,
    };
    return pause;
  }
}

/** Whether `error` is a breaker's, so that nothing was asked. */
export function isRefusal(error: unknown): boolean {
  return error instanceof DomainError && error.cause instanceof BrokenCircuitError;
}
