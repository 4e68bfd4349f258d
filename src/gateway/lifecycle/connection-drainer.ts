import { Injectable } from '@nestjs/common';
import { once } from 'node:events';
import { withTimeout } from '../../common/deadline.js';
import { Draining } from '../../platform/lifecycle/draining.js';
import type { Connection } from '../connections/connection.js';
import { Connections } from '../connections/connections.js';

/**
 * The share of the time in which nobody goes yet. A client that comes back before the next process listens is refused, and
 * each refusal doubles how long it waits: who goes first would be away longest.
 */
const NOBODY_YET = 0.3;
/** How long a closed transport may take for what is on its way, in milliseconds; then it is cut. */
const CLOSE_TIMEOUT_MS = 500;

/**
 * Sends this node's clients away when the process leaves, each at a moment of its own, so that they do not all come back
 * at once (P12). What a client sends before its moment is served.
 */
@Injectable()
export class ConnectionDrainer {
  constructor(
    private readonly connections: Connections,
    private readonly draining: Draining,
  ) {}

  /** Tells all clients how long they may stay; resolves when each has had its time and gone. */
  async drainAll(): Promise<void> {
    const spreadMs = this.draining.spreadLeftMs;
    await Promise.all(Array.from(this.connections.all(), (connection) => send(connection, spreadMs)));
  }
}

/** The transport is closed, not the namespace, so that an unmodified client comes back by itself. */
async function send(connection: Connection, spreadMs: number): Promise<void> {
  const { conn } = connection.socket;
  const closed = once(conn, 'close');
  const reconnectInMs = Math.round((NOBODY_YET + (1 - NOBODY_YET) * Math.random()) * spreadMs);
  connection.emit('connection:draining', { reconnectInMs });
  await withTimeout(closed, reconnectInMs);
  conn.close();
  await withTimeout(closed, CLOSE_TIMEOUT_MS);
  conn.close(true);
}
