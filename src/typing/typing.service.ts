import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { PeriodicTask } from '../common/periodic-task.js';
import type { TypingUpdate } from '../protocol/index.js';
import { Relay } from '../platform/relay/relay.js';
import { TypingIndicators, type StoppedTypist, type Typist } from './typing-indicators.js';

const SWEEP_INTERVAL_MS = 100;

/** Publishes who is typing to the connections that joined the conversation. The caller must ensure that the typist is a member. */
@Injectable()
export class TypingService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(TypingService.name);
  private readonly sweeps = new PeriodicTask({
    name: 'expire typing indicators',
    intervalMs: SWEEP_INTERVAL_MS,
    run: () => this.sweep(),
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
    this.publish(await this.indicators.start(typist));
  }

  async stop(conversationId: string, userId: string): Promise<void> {
    this.publish(await this.indicators.stop({ conversationId, userId }));
  }

  /** Ends an indicator without waiting or throwing: if it fails, the indicator expires. See {@link TypingIndicators.stop}. */
  stopSoon(typist: StoppedTypist): void {
    this.indicators.stop(typist).then(
      (update) => this.publish(update),
      (error: unknown) => this.logger.warn('failed to stop a typing indicator', { ...typist, error }),
    );
  }

  /** Returns the ids of the users who are typing in a conversation. */
  typingUsers(conversationId: string): Promise<string[]> {
    return this.indicators.typingUsers(conversationId);
  }

  countUsers(): Promise<number> {
    return this.indicators.countUsers();
  }

  private async sweep(): Promise<void> {
    for (const update of await this.indicators.sweep()) this.publish(update);
  }

  private publish(update: TypingUpdate | null): void {
    if (update) this.relay.publish('conversation', update.conversationId, { type: 'typing', update });
  }
}
