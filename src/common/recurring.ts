interface RecurringOptions {
  /** From the end of one round to the beginning of the next, in milliseconds. */
  everyMs: number;
  work: () => Promise<void>;
  /** Hears of a round that failed; the next one comes all the same. */
  onFault: (error: unknown) => void;
}

/** Work that comes again and again, one round at a time, until it is stopped. */
export class Recurring {
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(private readonly options: RecurringOptions) {}

  start(): void {
    this.timer = setTimeout(() => {
      this.round = this.run();
    }, this.options.everyMs);
  }

  /** Waits for the round that is under way. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.round;
  }

  private async run(): Promise<void> {
    try {
      await this.options.work();
    } catch (error) {
      this.options.onFault(error);
    }
    if (!this.stopped) this.start();
  }
}
