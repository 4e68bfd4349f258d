import { Injectable } from '@nestjs/common';
import type { QueueItem, SystemMessage } from '../protocol/index.js';
import { Relay } from '../platform/relay/relay.js';
import { Acknowledger } from './acknowledger.js';
import { DeliveriesStore, type DeliveryBatch, type DeliveryRequest } from './deliveries.store.js';
import { QueueAdminStore } from './queue-admin.store.js';
import type { QueueEntry } from './queue.dto.js';

/** Offers waiting deliveries to users, and records what was delivered. */
@Injectable()
export class QueueService {
  constructor(
    private readonly deliveries: DeliveriesStore,
    private readonly admin: QueueAdminStore,
    private readonly acknowledger: Acknowledger,
    private readonly relay: Relay,
  ) {}

  /** Returns the first deliveries to offer, after enforcing the bounds of the queue (P8). */
  async first(request: Omit<DeliveryRequest, 'afterId'>): Promise<DeliveryBatch> {
    const all = { ...request, afterId: '0' };
    const found = await this.deliveries.next(all);
    if (!found.overdue) return found;
    while ((await this.admin.trim(request.userId)) > 0);
    return this.deliveries.next(all);
  }

  /** Returns the next deliveries to offer. */
  next(request: DeliveryRequest): Promise<DeliveryBatch> {
    return this.deliveries.next(request);
  }

  /** Removes delivered items from the queue, with everything before them in their conversations. */
  async delivered(
    userId: string,
    { items, dropped }: Pick<DeliveryBatch, 'items' | 'dropped'>,
  ): Promise<void> {
    const system = items.filter(({ kind }) => kind === 'system').map(({ queueId }) => queueId);
    const acks = [...lastSeqs(items)].map(([conversationId, deliveredSeq]) =>
      this.acknowledger.tryAck({ userId, conversationId, deliveredSeq, readSeq: 0 }),
    );
    await Promise.all(
      [
        ...acks,
        system.length > 0 ? this.deliveries.deleteSystem(userId, system) : null,
        dropped > 0 ? this.deliveries.markNotified(userId) : null,
      ].filter((work) => work !== null),
    );
  }

  /** Counts an offer of items that were not acked in time. */
  countAttempt(userId: string, items: readonly QueueItem[]): Promise<void> {
    return this.deliveries.countAttempt(
      userId,
      items.map(({ queueId }) => queueId),
    );
  }

  /** Queues a system message for one user. Resolves when it is committed. Connected devices are offered it at once. */
  async sendSystem(userId: string, message: SystemMessage): Promise<void> {
    await this.deliveries.addSystem(userId, message);
    this.relay.publish('user', userId, { type: 'queued', conversationId: null });
  }

  /** Returns a user's deliveries after an id, including ended ones. */
  page(userId: string, afterId: string, limit: number): Promise<QueueEntry[]> {
    return this.admin.page(userId, afterId, limit);
  }

  /** Drops all deliveries that wait for a user. */
  clear(userId: string): Promise<void> {
    return this.admin.clear(userId);
  }
}

function lastSeqs(items: readonly QueueItem[]): Map<string, number> {
  const last = new Map<string, number>();
  for (const item of items) {
    if (item.kind === 'message') last.set(item.message.conversationId, item.message.seq);
  }
  return last;
}
