import type { DomainError } from '../../common/domain-error.js';
import { costOf } from '../../platform/limits/event-costs.js';
import { rateLimited, type Refusal } from '../../platform/limits/limiter.js';
import type { RateLimits } from '../../platform/limits/rate-limits.js';
import type { Connection } from '../connections/connection.js';

/** Events of one connection that are handled at once: the others wait, in order. */
const MAX_RUNNING = 8;
/** Events that may wait so; what comes then is refused. */
const MAX_WAITING = 500;
const BUSY_RETRY_MS = 1000;
/** Who asks for so many times its limit, refusals included, does not listen: its connection is closed. */
const MAX_OVERRUN = 3;

/** What the gates of all connections share. */
export interface ThrottleOptions {
  readonly limits: RateLimits;
  /** Counts an event for which there was no room to wait. */
  readonly onFull: () => void;
}

/** What a connection's events pass before they are handled, so that one that never stops costs little and delays nobody (P7). */
export class ConnectionThrottle {
  private running = 0;
  private isClosing = false;
  private readonly waiting: (() => Promise<void>)[] = [];

  constructor(
    readonly connection: Connection,
    private readonly options: ThrottleOptions,
  ) {}

  /** Counts an event. @returns null, or why it is not handled: before anything of it was looked at but its name. */
  async admit(event: string): Promise<DomainError | null> {
    const { connection } = this;
    const { limits } = this.options;
    const cost = costOf(event);
    const refusal = await limits.connectionEvents.tryConsume(connection.id, cost);
    if (refusal) {
      this.judge(refusal);
      return refusal.error;
    }
    return (await limits.userEvents.tryConsume(connection.userId, cost))?.error ?? null;
  }

  /** Does `work`, which never rejects, when its turn has come. @throws {DomainError} `rate_limited` where too much waits. */
  enter(work: () => Promise<void>): void {
    if (this.running < MAX_RUNNING) {
      void this.run(work);
    } else if (this.waiting.length < MAX_WAITING) {
      this.waiting.push(work);
    } else {
      this.options.onFull();
      throw rateLimited(BUSY_RETRY_MS);
    }
  }

  private async run(first: () => Promise<void>): Promise<void> {
    this.running += 1;
    for (let work: (() => Promise<void>) | undefined = first; work; work = this.waiting.shift()) await work();
    this.running -= 1;
  }

  private judge({ error, overrun }: Refusal): void {
    if (overrun < MAX_OVERRUN || this.isClosing) return;
    this.isClosing = true;
    const message = 'More was sent on this connection than it may. Slow down.';
    // The refusals of what came together with this event are answered first: nothing is written after the close.
    setImmediate(() => this.connection.closeAndRetry(error.code, message, error));
  }
}
