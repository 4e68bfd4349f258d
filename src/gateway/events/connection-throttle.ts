import type { DomainError } from '../../common/domain-error.js';
import { costOf } from '../../platform/limits/event-costs.js';
import { rateLimited, type Refusal } from '../../platform/limits/limiter.js';
import type { RateLimits } from '../../platform/limits/rate-limits.js';
import type { Connection } from '../connections/connection.js';

/** Events of one connection that are handled at once; the others wait, in order. */
const MAX_RUNNING = 8;
/** Events that may wait; further ones are refused. */
const MAX_WAITING = 500;
const BUSY_RETRY_MS = 1000;
/** A client that sends so many times its limit, refused events included, ignores the refusals: its connection is closed. */
const MAX_OVERRUN = 3;

/** Shared by the throttles of all connections. */
export interface ThrottleOptions {
  readonly limits: RateLimits;
  /** Called for each event that is refused because too many wait. */
  readonly onFull: () => void;
}

/** Limits the events of one connection, so that a client that never stops costs little and delays nobody (P7). */
export class ConnectionThrottle {
  private running = 0;
  private isClosing = false;
  private readonly waiting: (() => Promise<void>)[] = [];

  constructor(
    readonly connection: Connection,
    private readonly options: ThrottleOptions,
  ) {}

  /** Counts an event by its name alone. @returns null, or why it is refused. */
  async admit(event: string): Promise<DomainError | null> {
    const { connection } = this;
    const { limits } = this.options;
    const cost = costOf(event);
    const refusal = await limits.connectionEvents.tryConsume(connection.id, cost);
    if (refusal) {
      this.closeOnOverrun(refusal);
      return refusal.error;
    }
    return (await limits.userEvents.tryConsume(connection.userId, cost))?.error ?? null;
  }

  /** Runs `task`, which never rejects, when its turn has come. @throws {DomainError} `rate_limited` where too many wait. */
  enter(task: () => Promise<void>): void {
    if (this.running < MAX_RUNNING) {
      void this.run(task);
    } else if (this.waiting.length < MAX_WAITING) {
      this.waiting.push(task);
    } else {
      this.options.onFull();
      throw rateLimited(BUSY_RETRY_MS);
    }
  }

  private async run(first: () => Promise<void>): Promise<void> {
    this.running += 1;
    for (let task: (() => Promise<void>) | undefined = first; task; task = this.waiting.shift()) await task();
    this.running -= 1;
  }

  private closeOnOverrun({ error, overrun }: Refusal): void {
    if (overrun < MAX_OVERRUN || this.isClosing) return;
    this.isClosing = true;
    // Refusals of events that arrived together with this one are acked first: nothing is written after the close.
    setImmediate(() => this.connection.close('rate_limited', error.retryAfterMs));
  }
}
