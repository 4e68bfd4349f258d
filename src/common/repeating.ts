import { Logger } from '@nestjs/common';

interface RepeatingOptions {
  /** For the log. */
  name: string;
  /** Pause between the end of a round and the next, in milliseconds. */
  everyMs: number;
  work: () => Promise<void>;
}

/** Background work in rounds, one at a time. A round that fails is logged; the next comes at its time. */
export class Repeating {
  private readonly logger: Logger;
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(private readonly options: RepeatingOptions) {
    this.logger = new Logger(options.name);
  }

  /** Begins with a round now. */
  start(): void {
    this.round = this.run();
  }

  /** Resolves when the round that is under way has ended; there is no other. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.round;
  }

  private async run(): Promise<void> {
    const { work, everyMs } = this.options;
    try {
      await work();
    } catch (error) {
      this.logger.warn(`failed, next try in ${everyMs} ms: ${String(error)}`);
    }
    if (!this.stopped) this.timer = setTimeout(() => this.start(), everyMs);
  }
}
