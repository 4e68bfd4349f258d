import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '../../common/domain-error.js';
import { CONFIG, type Config } from '../config/config.js';

/** Of `SHUTDOWN_GRACE_MS`, the part that clients are spread over at most: the rest is for what they leave behind. */
const LARGEST_SPREAD = 0.5;

/** Whether this process is leaving (P12), and how much of its time is left. It begins once, and is never taken back. */
@Injectable()
export class Draining {
  private begunAt: number | null = null;

  constructor(@Inject(CONFIG) private readonly config: Config) {}

  /** Whether the process is leaving: nothing new is begun, and it is not ready. */
  get active(): boolean {
    return this.begunAt !== null;
  }

  /** Milliseconds in which clients are still sent away and answers run on; 0 where it was never told to drain. */
  get spreadLeftMs(): number {
    const { SHUTDOWN_SPREAD_MS, SHUTDOWN_GRACE_MS } = this.config;
    const spreadMs = Math.min(SHUTDOWN_SPREAD_MS, SHUTDOWN_GRACE_MS * LARGEST_SPREAD);
    return this.begunAt === null ? 0 : Math.max(0, spreadMs - this.lastedMs);
  }

  /** Milliseconds of `SHUTDOWN_GRACE_MS` that are left. */
  get graceLeftMs(): number {
    return Math.max(0, this.config.SHUTDOWN_GRACE_MS - this.lastedMs);
  }

  /** The process leaves from now on. */
  begin(): void {
    this.begunAt ??= performance.now();
  }

  private get lastedMs(): number {
    return this.begunAt === null ? 0 : performance.now() - this.begunAt;
  }
}

/** The answer to what would begin something new: to be asked again, of the process that comes next. */
export function serverDraining(): DomainError {
  return new DomainError('server_draining', 'The server is shutting down. Try again in a few seconds.', {
    retryAfterMs: 3000,
  });
}
