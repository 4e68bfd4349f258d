import { Injectable } from '@nestjs/common';
import type { Connection } from './connection.js';
import type { ConnectionObserver } from './connection-observer.js';

/** The connections of this node, by id and by user. */
@Injectable()
export class Connections implements ConnectionObserver {
  private readonly byId = new Map<string, Connection>();
  /** A user has few, and an array takes a third of the memory of a set. */
  private readonly byUser = new Map<string, readonly Connection[]>();

  get size(): number {
    return this.byId.size;
  }

  /** The number of users who have them. */
  get users(): number {
    return this.byUser.size;
  }

  onConnect(connection: Connection): void {
    this.byId.set(connection.id, connection);
    this.byUser.set(connection.userId, this.ofUser(connection.userId).concat(connection));
  }

  onDisconnect(connection: Connection): void {
    this.byId.delete(connection.id);
    const others = this.ofUser(connection.userId).filter((other) => other !== connection);
    if (others.length > 0) this.byUser.set(connection.userId, others);
    else this.byUser.delete(connection.userId);
  }

  get(connectionId: string): Connection | undefined {
    return this.byId.get(connectionId);
  }

  ofUser(userId: string): readonly Connection[] {
    return this.byUser.get(userId) ?? [];
  }

  all(): Iterable<Connection> {
    return this.byId.values();
  }
}
