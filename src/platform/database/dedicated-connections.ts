import type { DatabaseLog } from './log.js';
import { DedicatedConnection, type DedicatedConnectionOptions } from './dedicated-connection.js';

/** Opens the {@link DedicatedConnection}s of one database, and closes them all. */
export class DedicatedConnections {
  private readonly opened: DedicatedConnection[] = [];

  constructor(private readonly options: { url: string; log: DatabaseLog }) {}

  /** A new lane under `name`, connected when it is first used. */
  open(
    name: string,
    options: Pick<DedicatedConnectionOptions, 'settings' | 'deadlineMs'> = {},
  ): DedicatedConnection {
    const connection = new DedicatedConnection({ ...this.options, ...options, name });
    this.opened.push(connection);
    return connection;
  }

  /** Waits for what the lanes are doing, and closes them. */
  async close(): Promise<void> {
    await Promise.all(this.opened.map((connection) => connection.close()));
  }
}
