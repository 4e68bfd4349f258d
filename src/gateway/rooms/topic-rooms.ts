import { Injectable } from '@nestjs/common';
import type { Namespace } from 'socket.io';
import { DomainError } from '../../common/domain-error.js';
import { LIMITS } from '../../protocol/index.js';
import { Relay } from '../../platform/relay/relay.js';
import type { Connection } from '../connections/connection.js';
import type { ConnectionObserver } from '../connections/connection-observer.js';

interface Entry {
  connections: Set<Connection>;
  unsubscribe: () => void;
}

/** Tracks which connections of this node subscribe to which topics, and sends them the topics' messages. */
@Injectable()
export class TopicRooms implements ConnectionObserver {
  private readonly entries = new Map<string, Entry>();
  private readonly byConnection = new Map<Connection, Set<string>>();

  constructor(private readonly relay: Relay) {}

  /** How many topics have subscribers on this node, and how many connections subscribe to a topic. */
  get size(): { topics: number; connections: number } {
    return { topics: this.entries.size, connections: this.byConnection.size };
  }

  /** Subscribes to all of `topics`, or to none. @returns all topics of this connection. @throws {DomainError} `conflict` beyond the limit. */
  subscribe(connection: Connection, topics: readonly string[]): string[] {
    // An event may be handled after its socket has closed: nothing would remove the subscriptions again (P7).
    if (!connection.socket.connected) return [];
    const mine = this.byConnection.get(connection) ?? new Set();
    if (new Set([...mine, ...topics]).size > LIMITS.topics) {
      throw new DomainError(
        'conflict',
        `A connection can subscribe to at most ${LIMITS.topics} topics at once. Unsubscribe from one first.`,
      );
    }
    this.byConnection.set(connection, mine);
    for (const topic of topics) {
      const { connections } = this.entries.get(topic) ?? this.open(topic, connection.socket.nsp);
      connections.add(connection);
      mine.add(topic);
      void connection.socket.join(topicRoom(topic));
    }
    return [...mine];
  }

  /** Unsubscribes from `topics`. @returns the connection's remaining topics. */
  unsubscribe(connection: Connection, topics: readonly string[]): string[] {
    const mine = this.byConnection.get(connection);
    for (const topic of topics) {
      mine?.delete(topic);
      const entry = this.entries.get(topic);
      if (!entry?.connections.delete(connection)) continue;
      void connection.socket.leave(topicRoom(topic));
      if (entry.connections.size > 0) continue;
      entry.unsubscribe();
      this.entries.delete(topic);
    }
    if (mine?.size === 0) this.byConnection.delete(connection);
    return [...(mine ?? [])];
  }

  onDisconnect(connection: Connection): void {
    this.unsubscribe(connection, [...(this.byConnection.get(connection) ?? [])]);
  }

  private open(topic: string, namespace: Namespace): Entry {
    const unsubscribe = this.relay.subscribe('topic', topic, (message) => {
      namespace.to(topicRoom(topic)).emit('system:message', message);
    });
    const entry = { connections: new Set<Connection>(), unsubscribe };
    this.entries.set(topic, entry);
    return entry;
  }
}

/** Names the Socket.IO room of the connections that subscribed to a topic. */
function topicRoom(topic: string): string {
  return `topic:${topic}`;
}
