import type { DatabaseLog } from './log.js';
import { DedicatedConnection, type DedicatedConnectionOptions } from './dedicated-connection.js';

/** Losses within this time are logged as one, in milliseconds. */
const LOSS_WINDOW_MS = 1000;
/** How long after a log line the next losses are collected, in milliseconds: an absent database fails each attempt. */
const QUIET_MS = 10_000;

/** Opens the {@link DedicatedConnection}s to one database, and closes them all. */
export class DedicatedConnections {
  private readonly opened: DedicatedConnection[] = [];
  private readonly log: ConnectionLog;

  constructor(private readonly options: { url: string; log: DatabaseLog }) {
    this.log = new ConnectionLog(options.log);
  }

  /** Returns a new connection called `name`. It connects on first use. */
  open(
    name: string,
    options: Pick<DedicatedConnectionOptions, 'settings' | 'deadlineMs'> = {},
  ): DedicatedConnection {
    const connection = new DedicatedConnection({ ...this.options, ...options, log: this.log, name });
    this.opened.push(connection);
    return connection;
  }

  /** Waits for the queries that have been called, then closes all connections. */
  async close(): Promise<void> {
    await Promise.all(this.opened.map((connection) => connection.close()));
    this.log.close();
  }
}

/** Merges what the connections log of their losses and recoveries: a server that restarts cuts them all. */
class ConnectionLog implements DatabaseLog {
  private readonly lost = new Set<string>();
  private readonly found = new Set<string>();
  private reason: unknown;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly log: DatabaseLog) {}

  info(message: string, { connection, ...fields }: { connection?: string } = {}): void {
    if (connection === undefined) return this.log.info(message, fields);
    this.found.add(connection);
    this.schedule(LOSS_WINDOW_MS);
  }

  warn(
    message: string,
    { connection, reason, ...fields }: { connection?: string; reason?: unknown } = {},
  ): void {
    if (connection === undefined) return this.log.warn(message, fields);
    this.lost.add(connection);
    this.reason = reason;
    this.schedule(LOSS_WINDOW_MS);
  }

  error(message: string, fields?: object): void {
    this.log.error(message, fields);
  }

  close(): void {
    clearTimeout(this.timer);
    this.flush();
  }

  private schedule(ms: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      if (this.flush()) this.schedule(QUIET_MS);
    }, ms).unref();
  }

  /** @returns whether there was something to log. */
  private flush(): boolean {
    const [lost, found] = [[...this.lost].toSorted(), [...this.found].toSorted()];
    this.lost.clear();
    this.found.clear();
    if (lost.length > 0)
      this.log.warn('lost connections to the database', { connections: lost, reason: this.reason });
    if (found.length > 0) this.log.info('reconnected to the database', { connections: found });
    return lost.length + found.length > 0;
  }
}
