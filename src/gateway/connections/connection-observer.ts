import type { Connection } from './connection.js';

/** Is notified of every connection. */
export interface ConnectionObserver {
  /** The connection is open. Its client has sent no event yet. */
  onConnect?(connection: Connection): void;
  /** The connection has ended, for one of Socket.IO's reasons. Called once, also where a later observer has not seen it open. */
  onDisconnect?(connection: Connection, reason: string): void;
}

/** Injection token of the {@link ConnectionObserver}s, in the order in which they are notified. */
export const CONNECTION_OBSERVERS = Symbol('connection observers');
