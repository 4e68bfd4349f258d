import { Logger } from '@nestjs/common';

interface PeriodicTaskOptions {
  /** What a round does, for the log: `renew leases`. */
  name: string;
  /** From the end of one round to the start of the next, in milliseconds. */
  intervalMs: number;
  /** One round. The signal is aborted by `stop`, so that a long round can end early. */
  run: (signal: AbortSignal) => void | Promise<unknown>;
  /** Whether the first round starts at once, or after the interval (default). */
  runAtOnce?: boolean;
}

const logger = new Logger('PeriodicTask');

/**
 * Runs background work in rounds, one at a time, until it is stopped. A round that fails does not end the task. Only the
 * first failure of a series and the recovery are logged, because there may be ten rounds a second.
 *
 * @example
 * const task = new PeriodicTask({ name: 'renew leases', intervalMs: 5000, run: () => store.renew() });
 * task.start();
 * await task.stop(); // no round runs any more
 */
export class PeriodicTask {
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> = Promise.resolve();
  private isFailing = false;

  constructor(private readonly options: PeriodicTaskOptions) {}

  /** Starts the rounds. Call it at most once. Has no effect after `stop`. */
  start(): void {
    if (this.options.runAtOnce) this.begin();
    else this.schedule();
  }

  /** Starts no further round, and resolves when the running one has ended. Idempotent; never rejects. */
  async stop(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    await this.round;
  }

  private schedule(): void {
    if (this.stopping.signal.aborted) return;
    this.timer = setTimeout(() => this.begin(), this.options.intervalMs);
  }

  private begin(): void {
    if (this.stopping.signal.aborted) return;
    this.round = this.runOnce().then(() => this.schedule());
  }

  private async runOnce(): Promise<void> {
    const { name: task, intervalMs, run } = this.options;
    try {
      await run(this.stopping.signal);
      if (this.isFailing) logger.log('periodic task recovered', { task });
      this.isFailing = false;
    } catch (error) {
      if (!this.isFailing) logger.warn('periodic task failed', { task, retryInMs: intervalMs, error });
      this.isFailing = true;
    }
  }
}
