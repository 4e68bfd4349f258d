import { Injectable } from '@nestjs/common';
import type { Server } from 'socket.io';
import { DomainError } from '../../common/domain-error.js';
import { LIMITS } from '../../protocol/index.js';
import { Relay } from '../../platform/relay/relay.js';
import type { Connection } from '../connections/connection.js';

interface Entry {
  connections: Set<Connection>;
  stopListening: () => void;
}

/** Which connections of this node have subscribed to which topics, and what is said on these. */
@Injectable()
export class TopicRooms {
  private readonly entries = new Map<string, Entry>();
  private readonly byConnection = new Map<Connection, Set<string>>();
  private server: Server;

  constructor(private readonly relay: Relay) {}

  /** Topics that somebody here listens to, and connections that do: both are 0 when nobody does. */
  get size(): { topics: number; connections: number } {
    return { topics: this.entries.size, connections: this.byConnection.size };
  }

  attach(server: Server): void {
    this.server = server;
  }

  /** Subscribes to all of them, or none. @returns all topics of this connection. @throws {DomainError} `conflict` beyond the limit. */
  subscribe(connection: Connection, topics: readonly string[]): string[] {
    // An event may be handled after its socket has ended: nobody would take the subscriptions out again.
    if (!connection.socket.connected) return [];
    const mine = this.byConnection.get(connection) ?? new Set();
    if (new Set([...mine, ...topics]).size > LIMITS.topics) {
      throw new DomainError(
        'conflict',
        `A connection may have subscribed to ${LIMITS.topics} topics at once.`,
      );
    }
    this.byConnection.set(connection, mine);
    for (const topic of topics) {
      const { connections } = this.entries.get(topic) ?? this.open(topic);
      connections.add(connection);
      mine.add(topic);
      void connection.socket.join(topicRoom(topic));
    }
    return [...mine];
  }

  /** @returns the topics that are left. */
  unsubscribe(connection: Connection, topics: readonly string[]): string[] {
    const mine = this.byConnection.get(connection);
    for (const topic of topics) {
      mine?.delete(topic);
      const entry = this.entries.get(topic);
      if (!entry?.connections.delete(connection)) continue;
      void connection.socket.leave(topicRoom(topic));
      if (entry.connections.size > 0) continue;
      entry.stopListening();
      this.entries.delete(topic);
    }
    if (mine?.size === 0) this.byConnection.delete(connection);
    return [...(mine ?? [])];
  }

  forget(connection: Connection): void {
    this.unsubscribe(connection, [...(this.byConnection.get(connection) ?? [])]);
  }

  private open(topic: string): Entry {
    const stopListening = this.relay.subscribe('topic', topic, (message) => {
      this.server.to(topicRoom(topic)).emit('system:message', message);
    });
    const entry = { connections: new Set<Connection>(), stopListening };
    this.entries.set(topic, entry);
    return entry;
  }
}

/** Socket.IO room of the connections that subscribed to a topic. */
function topicRoom(topic: string): string {
  return `topic:${topic}`;
}
