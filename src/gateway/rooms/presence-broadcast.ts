import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Relay } from '../../platform/relay/relay.js';
import type { PresenceEvent } from '../../platform/relay/topics.js';
import type { Connection } from '../connections/connection.js';
import { Connections } from '../connections/connections.js';
import { PresenceSubscriptions } from './presence-subscriptions.js';
import { RoomEvents } from './room-events.js';
import { conversationRoom } from './room.js';
import { Rooms } from './rooms.js';
import { ThrottledBroadcast } from './throttled-broadcast.js';

/** Limits this node's socket writes for presence in half a second: n members who connect at once cause n² writes. */
const PRESENCE_WRITES = 10_000;

/**
 * Sends presence changes to this node's connections: to those that joined a conversation of the user, to those that subscribe
 * to the user and still may, and to the user's own. Each change is one emit, so that no connection receives it twice
 * (Socket.IO merges the rooms).
 */
@Injectable()
export class PresenceBroadcast implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(PresenceBroadcast.name);
  private readonly throttled = new ThrottledBroadcast<PresenceEvent>({
    keyOf: ({ presence }) => presence.userId,
    audience: (event) => this.audienceOf(event),
    send: (event) => this.enqueue(event),
    writes: PRESENCE_WRITES,
  });
  private waiting: PresenceEvent[] = [];
  /** Events whose subscribers are being checked. */
  private checking: PresenceEvent[] = [];
  private busy = false;

  constructor(
    private readonly relay: Relay,
    private readonly rooms: Rooms,
    private readonly subscriptions: PresenceSubscriptions,
    private readonly connections: Connections,
    events: RoomEvents,
  ) {
    events.on('member.removed', (userId, conversationId) => this.onRemoved(userId, conversationId));
  }

  onModuleInit(): void {
    this.relay.subscribe('presence', 'all', (event) => this.throttled.add(event));
  }

  onApplicationShutdown(): void {
    this.throttled.close();
  }

  /** Withholds a former member's changes that have not been sent yet from the conversation (P10). */
  private onRemoved(userId: string, conversationId: string): void {
    const withhold = (event: PresenceEvent): PresenceEvent =>
      event.presence.userId === userId
        ? { ...event, conversationIds: event.conversationIds.filter((id) => id !== conversationId) }
        : event;
    this.throttled.update(userId, withhold);
    this.waiting = this.waiting.map(withhold);
    this.checking = this.checking.map(withhold);
  }

  private audienceOf({ presence, conversationIds }: PresenceEvent): number {
    const inRooms = conversationIds.reduce((sum, id) => sum + this.rooms.audience(id), 0);
    return inRooms + this.subscriptions.countOf(presence.userId);
  }

  private enqueue(event: PresenceEvent): void {
    this.waiting.push(event);
    if (!this.busy) void this.processWaiting();
  }

  /** Keeps the order; finishes within one turn of the event loop unless it has to query the database. */
  private async processWaiting(): Promise<void> {
    this.busy = true;
    while (this.waiting.length > 0) {
      this.checking = this.waiting;
      this.waiting = [];
      const userIds = this.checking.map(({ presence }) => presence.userId);
      const isWatched = userIds.some((userId) => this.subscriptions.countOf(userId) > 0);
      const subscribers = isWatched ? await this.subscribersOf(userIds) : [];
      this.checking.forEach((event, index) => this.emit(event, subscribers[index] ?? []));
    }
    this.checking = [];
    this.busy = false;
  }

  /** Returns for each user the connections that subscribe to it and still may; none where the query fails. */
  private async subscribersOf(userIds: readonly string[]): Promise<Connection[][]> {
    try {
      return await this.subscriptions.allowed(userIds);
    } catch (error) {
      this.logger.warn('failed to send presence changes to subscribers', { changes: userIds.length, error });
      return [];
    }
  }

  private emit(
    { presence, conversationIds, origin }: PresenceEvent,
    subscribers: readonly Connection[],
  ): void {
    const rooms = conversationIds.filter((id) => this.rooms.has(id)).map(conversationRoom);
    const own = this.connections.ofUser(presence.userId);
    const audience = [...rooms, ...[...own, ...subscribers].map(({ id }) => id)];
    // All connections share one namespace. An empty audience would mean everybody (Socket.IO).
    const [first] = this.connections.all();
    if (!first || audience.length === 0) return;
    const emitter = first.socket.nsp.to(audience);
    (origin === undefined ? emitter : emitter.except(origin)).emit('presence:update', presence);
  }
}
