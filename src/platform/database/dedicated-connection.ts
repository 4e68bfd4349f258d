import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { withAbort } from '../../common/deadline.js';
import { DomainError } from '../../common/domain-error.js';
import { isConnectionFault, isStalePlan } from './errors.js';
import type { DatabaseLog } from './log.js';

/** PostgreSQL's settings of one connection. Default: the server's. */
interface LaneSettings extends Partial<typeof PINNED_PLANS> {
  /** `off`: a commit survives this process, and is lost with PostgreSQL's or the machine's crash. */
  synchronous_commit?: 'on' | 'off';
}

/**
 * Each statement is planned once, by its indexes. Planning a small batch anew costs twice what writing it does; and a plan
 * that was made while the tables were empty must be good for full ones.
 */
export const PINNED_PLANS = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  jit: 'off',
} as const;

export interface DedicatedConnectionOptions {
  url: string;
  /** Shown in pg_stat_activity. */
  name: string;
  settings?: LaneSettings;
  log: DatabaseLog;
  /** How long a query may take as its caller sees it, waiting and connecting included; default 5000. */
  deadlineMs?: number;
}

/** A statement that is prepared once on each connection, under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

interface Connection {
  readonly client: Client;
  readonly socket: Socket;
}

const DEADLINE_MS = 5000;
const FIRST_BACKOFF_MS = 100;
/** Of a query's deadline, what it waits at most before it connects: a longer wait would let none ever connect again. */
const LONGEST_BACKOFF = 0.25;
const GOODBYE_MS = 1000;
/** Shorter than the deadline, so that a slow statement is ended by the server and the connection stays good. */
const SESSION = { statement_timeout: 4000, lock_timeout: 3000, idle_in_transaction_session_timeout: 5000 };

/**
 * One connection of its own for hot statements, one at a time in the order of the calls. It connects when it is first
 * used, and again after a loss; a query that was under way then rejects, and may have been committed.
 */
export class DedicatedConnection {
  private connection: Connection | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private failures = 0;
  private closing: Promise<void> | undefined;

  constructor(private readonly options: DedicatedConnectionOptions) {}

  /**
   * The rows of `statement`.
   * @throws {DomainError} `timeout` at the deadline, `server_draining` after {@link close}; else the driver's error,
   * with PostgreSQL's SQLSTATE as its `code`: see `toDatabaseError`.
   */
  query<T>(statement: Statement, values: readonly unknown[]): Promise<T[]> {
    if (this.closing) {
      return Promise.reject(new DomainError('server_draining', 'The server is shutting down.'));
    }
    const deadline = performance.now() + this.deadlineMs;
    const result = this.turn.then(() => this.run<T>(statement, values, deadline));
    this.turn = result.catch(() => {}); // Its caller hears of it; the next in line does not.
    return result;
  }

  /** Waits for the queries that were asked for, and closes the connection. */
  close(): Promise<void> {
    this.closing ??= this.turn.then(() => this.sayGoodbye());
    return this.closing;
  }

  private get deadlineMs(): number {
    return this.options.deadlineMs ?? DEADLINE_MS;
  }

  private async run<T>(statement: Statement, values: readonly unknown[], deadline: number): Promise<T[]> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(tooSlow()), Math.max(0, deadline - performance.now()));
    try {
      return await withAbort(this.ask<T>(statement, values, abort.signal), abort.signal);
    } catch (error) {
      if (error instanceof DomainError || isConnectionFault(error) || isStalePlan(error)) {
        this.drop(error as Error);
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  private async ask<T>(statement: Statement, values: readonly unknown[], signal: AbortSignal): Promise<T[]> {
    const { client } = this.connection ?? (await this.connect(signal));
    signal.throwIfAborted();
    const { rows } = await client.query<T & object>({ ...statement, values: [...values] });
    return rows;
  }

  private async connect(signal: AbortSignal): Promise<Connection> {
    const { url, name, settings, log } = this.options;
    if (this.failures > 0) {
      const backoff = Math.min(
        this.deadlineMs * LONGEST_BACKOFF,
        FIRST_BACKOFF_MS * 2 ** (this.failures - 1),
      );
      await delay(backoff, undefined, { signal });
    }
    // A socket of our own can be destroyed whatever the driver is waiting for.
    const socket = new Socket();
    const client = new Client({
      connectionString: url,
      application_name: `streamgate ${name}`,
      stream: () => socket,
      keepAlive: true,
      ...SESSION,
    });
    const connection = { client, socket };
    this.connection = connection;
    client.on('error', (error) => {
      if (this.connection === connection) this.drop(error);
    });
    try {
      await client.connect();
      if (settings) {
        const set =
          'select set_config(name, value, false) from unnest($1::text[], $2::text[]) s(name, value)';
        await client.query(set, [Object.keys(settings), Object.values(settings)]);
      }
    } catch (error) {
      if (this.connection === connection) this.drop(error as Error);
      throw error;
    }
    if (this.failures > 0) log.info(`The database lane ${name} is connected again.`);
    this.failures = 0;
    return connection;
  }

  /** Gives the connection up. */
  private drop(error: Error): void {
    const { connection } = this;
    if (!connection) return;
    this.connection = undefined;
    this.failures += 1;
    connection.socket.destroy();
    this.options.log.warn(`The database lane ${this.options.name} lost its connection: ${error.message}`);
  }

  private async sayGoodbye(): Promise<void> {
    const { connection } = this;
    if (!connection) return;
    this.connection = undefined;
    const timer = setTimeout(() => connection.socket.destroy(), GOODBYE_MS);
    await connection.client.end().finally(() => clearTimeout(timer));
  }
}

function tooSlow(): DomainError {
  return new DomainError('timeout', 'The database did not answer in time. Send it again.');
}
