import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '../../common/domain-error.js';
import { CONFIG, type Config } from '../config/config.js';

/** Largest share of `SHUTDOWN_GRACE_MS` over which clients are closed. The rest is for the work they leave. */
const LARGEST_SPREAD = 0.5;

/** Whether this process is shutting down (P12), and how much time is left. A shutdown starts once and cannot be undone. */
@Injectable()
export class Draining {
  private begunAt: number | null = null;

  constructor(@Inject(CONFIG) private readonly config: Config) {}

  /** Whether the process is shutting down: it starts nothing new and is not ready. */
  get active(): boolean {
    return this.begunAt !== null;
  }

  /** Milliseconds left in which clients are closed and answers continue; 0 before the shutdown starts. */
  get spreadLeftMs(): number {
    const { SHUTDOWN_SPREAD_MS, SHUTDOWN_GRACE_MS } = this.config;
    const spreadMs = Math.min(SHUTDOWN_SPREAD_MS, SHUTDOWN_GRACE_MS * LARGEST_SPREAD);
    return this.begunAt === null ? 0 : Math.max(0, spreadMs - this.lastedMs);
  }

  /** Milliseconds left of `SHUTDOWN_GRACE_MS`. */
  get graceLeftMs(): number {
    return Math.max(0, this.config.SHUTDOWN_GRACE_MS - this.lastedMs);
  }

  /** Starts the shutdown. */
  begin(): void {
    this.begunAt ??= performance.now();
  }

  private get lastedMs(): number {
    return this.begunAt === null ? 0 : performance.now() - this.begunAt;
  }
}

/** Returns the error for requests that would start something new. The client retries, and reaches the next process. */
export function serverDraining(): DomainError {
  return new DomainError('server_draining', 'The server is shutting down. Try again in a few seconds.', {
    retryAfterMs: 3000,
  });
}
