import { Injectable } from '@nestjs/common';
import type { Connection } from './connection.js';

/** The connections of this node, by id and by user. */
@Injectable()
export class Connections {
  private readonly byId = new Map<string, Connection>();
  private readonly byUser = new Map<string, Set<Connection>>();

  get size(): number {
    return this.byId.size;
  }

  /** How many users they are. */
  get users(): number {
    return this.byUser.size;
  }

  /** @returns whether it is the user's first connection here. */
  add(connection: Connection): boolean {
    this.byId.set(connection.id, connection);
    const mine = this.byUser.get(connection.userId);
    if (mine) mine.add(connection);
    else this.byUser.set(connection.userId, new Set([connection]));
    return !mine;
  }

  /** @returns whether it was the user's last connection here. */
  remove(connection: Connection): boolean {
    this.byId.delete(connection.id);
    const mine = this.byUser.get(connection.userId);
    mine?.delete(connection);
    if (mine?.size !== 0) return false;
    return this.byUser.delete(connection.userId);
  }

  get(connectionId: string): Connection | undefined {
    return this.byId.get(connectionId);
  }

  ofUser(userId: string): Iterable<Connection> {
    return this.byUser.get(userId) ?? [];
  }

  all(): Iterable<Connection> {
    return this.byId.values();
  }
}
