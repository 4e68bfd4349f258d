import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { Server } from 'socket.io';
import { SharedConversationsStore, type Pair } from '../../presence/shared-conversations.store.js';
import { Relay } from '../../platform/relay/relay.js';
import type { PresenceEvent } from '../../platform/relay/topics.js';
import type { Connection } from '../connections/connection.js';
import { Connections } from '../connections/connections.js';
import { ThrottledBroadcast } from './throttled-broadcast.js';
import { conversationRoom } from './room.js';
import { Rooms } from './rooms.js';
import { PresenceSubscriptions } from './presence-subscriptions.js';

/** What changes of presence may cost this node in half a second: a crowd that comes and goes is told of itself, n² writes. */
const WRITES = 10_000;

/**
 * Brings changes of presence to this node's connections: to who joined a conversation of the user, to who watches it and
 * still may, and to the user's own. One emit for each change, so nobody hears it twice (Socket.IO joins the rooms).
 */
@Injectable()
export class PresenceBroadcast implements OnApplicationShutdown {
  private readonly logger = new Logger(PresenceBroadcast.name);
  private readonly paced = new ThrottledBroadcast<PresenceEvent>({
    keyOf: ({ presence }) => presence.userId,
    audience: (event) => this.audienceOf(event),
    tell: (event) => this.take(event),
    writes: WRITES,
  });
  private waiting: PresenceEvent[] = [];
  private busy = false;
  private server: Server;

  constructor(
    private readonly relay: Relay,
    private readonly rooms: Rooms,
    private readonly subscriptions: PresenceSubscriptions,
    private readonly sharedConversations: SharedConversationsStore,
    private readonly connections: Connections,
  ) {}

  attach(server: Server): void {
    this.server = server;
    this.relay.subscribe('presence', 'all', (event) => this.paced.hear(event));
  }

  /** A user is no member any more: what waits to be told of it is not told there (P10). */
  removed(userId: string, conversationId: string): void {
    this.paced.revise(userId, (event) => ({
      ...event,
      conversationIds: event.conversationIds.filter((id) => id !== conversationId),
    }));
  }

  onApplicationShutdown(): void {
    this.paced.close();
  }

  private audienceOf({ presence, conversationIds }: PresenceEvent): number {
    const inRooms = conversationIds.reduce((sum, id) => sum + this.rooms.audience(id), 0);
    return inRooms + (this.subscriptions.of(presence.userId)?.size ?? 0);
  }

  private take(event: PresenceEvent): void {
    this.waiting.push(event);
    if (!this.busy) void this.drain();
  }

  /** In order, and within one turn while nobody has to be asked. */
  private async drain(): Promise<void> {
    this.busy = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting;
      this.waiting = [];
      const watched = batch.some(({ presence }) => this.subscriptions.of(presence.userId));
      const watchers = watched ? await this.watchersOf(batch) : [];
      batch.forEach((event, index) => this.show(event, watchers[index] ?? []));
    }
    this.busy = false;
  }

  /** For each event the connections that watch its user and still share a conversation with it (P10). */
  private async watchersOf(batch: readonly PresenceEvent[]): Promise<Connection[][]> {
    const watchers = batch.map(({ presence }) => [...(this.subscriptions.of(presence.userId) ?? [])]);
    const pairs = watchers.flatMap((some, index) =>
      some.map((watcher): Pair => [watcher.userId, (batch[index] as PresenceEvent).presence.userId]),
    );
    try {
      const mayKnow = await this.sharedConversations.share(pairs);
      let position = 0;
      return watchers.map((some) => some.filter(() => mayKnow[position++]));
    } catch (error) {
      this.logger.warn(`watchers were not told of ${batch.length} changes: ${String(error)}`);
      return [];
    }
  }

  private show({ presence, conversationIds, origin }: PresenceEvent, watchers: readonly Connection[]): void {
    const rooms = conversationIds.filter((id) => this.rooms.has(id)).map(conversationRoom);
    const mine = this.connections.ofUser(presence.userId);
    const audience = [...rooms, ...[...mine, ...watchers].map(({ id }) => id)];
    // To nobody would be to everybody (Socket.IO).
    if (audience.length === 0) return;
    const emitter = this.server.to(audience);
    (origin === undefined ? emitter : emitter.except(origin)).emit('presence:update', presence);
  }
}
