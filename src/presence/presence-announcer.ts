import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import type { Presence } from '../protocol/index.js';
import { Relay } from '../platform/relay/relay.js';
import { SharedConversationsStore } from './shared-conversations.store.js';

interface Announcement {
  presence: Presence;
  /** Connection that caused the change; it is not notified. */
  origin?: string | undefined;
}

const BATCH = 200;
const RETRY_MS = 500;
/** Beyond this the oldest change is dropped. Reached only while the database is unavailable. */
const MAX_WAITING = 10_000;

/**
 * Publishes presence changes to all nodes, in order and each once, with the conversations whose members may see them. A change
 * costs a share of one query and one event per node, however many connections there are.
 */
@Injectable()
export class PresenceAnnouncer {
  private readonly logger = new Logger(PresenceAnnouncer.name);
  private waiting: Announcement[] = [];
  private running = false;
  private closed = false;

  constructor(
    private readonly relay: Relay,
    private readonly sharedConversations: SharedConversationsStore,
  ) {}

  announce(announcement: Announcement): void {
    this.waiting.push(announcement);
    if (this.waiting.length > MAX_WAITING) this.waiting.shift();
    if (!this.running) void this.run();
  }

  close(): void {
    this.closed = true;
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0 && !this.closed) {
      const batch = this.waiting.slice(0, BATCH);
      try {
        await this.publish(batch);
        this.waiting = this.waiting.slice(batch.length);
      } catch (error) {
        this.logger.warn('failed to announce presence changes, will retry', {
          waiting: this.waiting.length,
          error,
        });
        await delay(RETRY_MS);
      }
    }
    this.running = false;
  }

  private async publish(batch: readonly Announcement[]): Promise<void> {
    const userIds = [...new Set(batch.map(({ presence }) => presence.userId))];
    const conversations = await this.sharedConversations.conversationsOf(userIds);
    for (const { presence, origin } of batch) {
      const conversationIds = conversations.get(presence.userId) ?? [];
      this.relay.publish('presence', 'all', { presence, conversationIds, ...(origin && { origin }) });
    }
  }
}
