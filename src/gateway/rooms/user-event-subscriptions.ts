import { Injectable } from '@nestjs/common';
import { Relay } from '../../platform/relay/relay.js';
import type { UserEvent } from '../../platform/relay/topics.js';
import type { Connection } from '../connections/connection.js';
import type { ConnectionObserver } from '../connections/connection-observer.js';
import { Connections } from '../connections/connections.js';
import { QueueDeliveryService } from './queue-delivery.service.js';
import { Rooms } from './rooms.js';

/** Receives the relay's events about the users who are connected to this node, and passes them on to their connections. */
@Injectable()
export class UserEventSubscriptions implements ConnectionObserver {
  private readonly subscriptions = new Map<string, () => void>();

  constructor(
    private readonly relay: Relay,
    private readonly connections: Connections,
    private readonly rooms: Rooms,
    private readonly deliveries: QueueDeliveryService,
  ) {}

  onConnect({ userId }: Connection): void {
    if (this.subscriptions.has(userId)) return;
    const unsubscribe = this.relay.subscribe('user', userId, (event) => this.receive(userId, event));
    this.subscriptions.set(userId, unsubscribe);
  }

  onDisconnect({ userId }: Connection): void {
    if (this.connections.ofUser(userId).length > 0) return;
    this.subscriptions.get(userId)?.();
    this.subscriptions.delete(userId);
  }

  private receive(userId: string, event: UserEvent): void {
    if (event.type === 'queued') {
      for (const connection of this.connections.ofUser(userId))
        this.deliveries.wake(connection, event.conversationId);
      return;
    }
    if (event.type === 'close') {
      this.connections.get(event.connectionId)?.close('forbidden');
      return;
    }
    const { change } = event;
    for (const connection of this.connections.ofUser(userId)) {
      // A joined connection receives it through the room, unless it has just been removed from it.
      if (connection.joined.has(change.conversationId) && change.change !== 'removed') continue;
      connection.emit('conversation:changed', change);
    }
    if (change.change === 'deleted') this.rooms.evict(userId, change.conversationId);
  }
}
