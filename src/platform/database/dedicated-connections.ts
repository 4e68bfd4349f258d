import type { DatabaseLog } from './log.js';
import { DedicatedConnection, type DedicatedConnectionOptions } from './dedicated-connection.js';

/** Opens the {@link DedicatedConnection}s to one database, and closes them all. */
export class DedicatedConnections {
  private readonly opened: DedicatedConnection[] = [];

  constructor(private readonly options: { url: string; log: DatabaseLog }) {}

  /** Returns a new connection called `name`. It connects on first use. */
  open(
    name: string,
    options: Pick<DedicatedConnectionOptions, 'settings' | 'deadlineMs'> = {},
  ): DedicatedConnection {
    const connection = new DedicatedConnection({ ...this.options, ...options, name });
    this.opened.push(connection);
    return connection;
  }

  /** Waits for the queries that have been called, then closes all connections. */
  async close(): Promise<void> {
    await Promise.all(this.opened.map((connection) => connection.close()));
  }
}
