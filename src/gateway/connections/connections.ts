import { Injectable } from '@nestjs/common';
import type { Connection } from './connection.js';

/** The connections of this node, by id and by user. */
@Injectable()
export class Connections {
  private readonly byId = new Map<string, Connection>();
  /** Few for each: an array is a third of a set. */
  private readonly byUser = new Map<string, readonly Connection[]>();

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
    const others = this.byUser.get(connection.userId) ?? [];
    this.byUser.set(connection.userId, others.concat(connection));
    return others.length === 0;
  }

  /** @returns whether it was the user's last connection here. */
  remove(connection: Connection): boolean {
    this.byId.delete(connection.id);
    const mine = this.byUser.get(connection.userId) ?? [];
    const others = mine.filter((other) => other !== connection);
    if (others.length > 0) this.byUser.set(connection.userId, others);
    else this.byUser.delete(connection.userId);
    return mine.length > 0 && others.length === 0;
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
