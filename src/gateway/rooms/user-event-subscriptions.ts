import { Injectable } from '@nestjs/common';
import { Relay } from '../../platform/relay/relay.js';
import type { UserEvent } from '../../platform/relay/topics.js';
import { Connections } from '../connections/connections.js';
import { QueueDeliveries } from './queue-deliveries.js';
import { Rooms } from './rooms.js';

/** What the relay says of users that are connected here, brought to their connections. */
@Injectable()
export class UserEventSubscriptions {
  private readonly subscriptions = new Map<string, () => void>();

  constructor(
    private readonly relay: Relay,
    private readonly connections: Connections,
    private readonly rooms: Rooms,
    private readonly deliveries: QueueDeliveries,
  ) {}

  listen(userId: string): void {
    const stop = this.relay.subscribe('user', userId, (event) => this.hear(userId, event));
    this.subscriptions.set(userId, stop);
  }

  stopListening(userId: string): void {
    this.subscriptions.get(userId)?.();
    this.subscriptions.delete(userId);
  }

  private hear(userId: string, event: UserEvent): void {
    if (event.type === 'queued') {
      for (const connection of this.connections.ofUser(userId))
        this.deliveries.wake(connection, event.conversationId);
      return;
    }
    if (event.type === 'close') {
      const message = 'This connection was closed by its user or an operator.';
      this.connections.get(event.connectionId)?.closeForGood('forbidden', message);
      return;
    }
    const { change } = event;
    for (const connection of this.connections.ofUser(userId)) {
      // Who has joined hears it in the room, unless it has just been taken out of it.
      if (connection.joined.has(change.conversationId) && change.change !== 'removed') continue;
      connection.emit('conversation:changed', change);
    }
    if (change.change === 'deleted') this.rooms.evict(userId, change.conversationId);
  }
}
