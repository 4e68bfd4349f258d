import type { DomainError } from '../../common/domain-error.js';
import { costOf } from '../../platform/limits/event-costs.js';
import { rateLimited, type Refusal } from '../../platform/limits/limiter.js';
import type { RateLimits } from '../../platform/limits/rate-limits.js';
import type { Connection } from '../connections/connection.js';
import { EventQueue, type Order } from './event-queue.js';

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
  private isClosing = false;
  private readonly queue = new EventQueue();

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
  enter(task: () => Promise<void>, order: Order): void {
    if (this.queue.add(task, order)) return;
    this.options.onFull();
    throw rateLimited(BUSY_RETRY_MS);
  }

  private closeOnOverrun({ error, overrun }: Refusal): void {
    if (overrun < MAX_OVERRUN || this.isClosing) return;
    this.isClosing = true;
    // Refusals of events that arrived together with this one are acked first: nothing is written after the close.
    setImmediate(() => this.connection.close('rate_limited', error.retryAfterMs));
  }
}
