import { Injectable } from '@nestjs/common';
import { once } from 'node:events';
import { withTimeout } from '../../common/deadline.js';
import { Draining } from '../../platform/lifecycle/draining.js';
import type { Connection } from '../connections/connection.js';
import { Connections } from '../connections/connections.js';

/**
 * The share of the time in which no connection is closed yet. A client that returns before the next process listens is refused,
 * and each refusal doubles its wait: the first to go would be away longest.
 */
const QUIET_SHARE = 0.3;
/** How long a closing transport may take to send what is in flight, in milliseconds; then it is cut. */
const CLOSE_TIMEOUT_MS = 500;

/**
 * Closes this node's connections when the process shuts down, each at its own random moment, so that the clients do not
 * all reconnect at once (P12). Events that arrive before that moment are handled.
 */
@Injectable()
export class ConnectionDrainer {
  constructor(
    private readonly connections: Connections,
    private readonly draining: Draining,
  ) {}

  /** Notifies all clients when they will be closed. Resolves when all are. */
  async drainAll(): Promise<void> {
    const spreadMs = this.draining.spreadLeftMs;
    await Promise.all(Array.from(this.connections.all(), (connection) => drain(connection, spreadMs)));
  }
}

/** Closes the transport, not the namespace, so that an unmodified client reconnects by itself. */
async function drain(connection: Connection, spreadMs: number): Promise<void> {
  const { conn } = connection.socket;
  const closed = once(conn, 'close');
  const reconnectInMs = Math.round((QUIET_SHARE + (1 - QUIET_SHARE) * Math.random()) * spreadMs);
  connection.emit('connection:draining', { reconnectInMs });
  await withTimeout(closed, reconnectInMs);
  conn.close();
  await withTimeout(closed, CLOSE_TIMEOUT_MS);
  conn.close(true);
}
