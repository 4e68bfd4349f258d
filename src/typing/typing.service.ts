import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { PeriodicTask } from '../common/periodic-task.js';
import type { TypingUpdate } from '../protocol/index.js';
import { Relay } from '../platform/relay/relay.js';
import { TypingIndicators, type Typist } from './typing-indicators.js';

const SETTLE_EVERY_MS = 100;

/** Who is typing: told to who joined the conversation. That the typist is a member is for its caller to know. */
@Injectable()
export class TypingService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(TypingService.name);
  private readonly sweeps = new PeriodicTask({
    name: 'expire typing indicators',
    intervalMs: SETTLE_EVERY_MS,
    run: () => this.settle(),
  });

  constructor(
    private readonly indicators: TypingIndicators,
    private readonly relay: Relay,
  ) {}

  onApplicationBootstrap(): void {
    this.sweeps.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.sweeps.stop();
  }

  async start(typist: Typist): Promise<void> {
    this.tell(await this.indicators.start(typist));
  }

  async stop(conversationId: string, userId: string): Promise<void> {
    this.tell(await this.indicators.stop({ conversationId, userId }));
  }

  /** The user has sent, or is no member any more. Does not wait and does not throw: the indicator would expire anyway. */
  end(conversationId: string, userId: string): void {
    this.inBackground(this.indicators.stop({ conversationId, userId }));
  }

  /** The connection has left: what was typed on it has stopped, as with {@link end}. */
  release(typist: Typist): void {
    this.inBackground(this.indicators.stop(typist));
  }

  /** Users who are typing in a conversation. */
  in(conversationId: string): Promise<string[]> {
    return this.indicators.in(conversationId);
  }

  countUsers(): Promise<number> {
    return this.indicators.countUsers();
  }

  private async settle(): Promise<void> {
    for (const update of await this.indicators.settle()) this.tell(update);
  }

  private inBackground(stopped: Promise<TypingUpdate | null>): void {
    stopped.then(
      (update) => this.tell(update),
      (error: unknown) => this.logger.warn(`an indicator was left to expire: ${String(error)}`),
    );
  }

  private tell(update: TypingUpdate | null): void {
    if (update) this.relay.publish('conversation', update.conversationId, { type: 'typing', update });
  }
}
