import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { withAbort } from '../../common/deadline.js';
import { DomainError, overloaded } from '../../common/domain-error.js';
import { isRefusedBySession, isSessionFault } from './errors.js';
import type { DatabaseLog } from './log.js';
import { prepareSession } from './session.js';

/** PostgreSQL's settings for one connection. Default: the server's. */
interface ConnectionSettings extends Partial<typeof PINNED_PLANS> {
  /** `off`: a commit survives a crash of this process, but not one of PostgreSQL or the machine. */
  synchronous_commit?: 'on' | 'off';
  /** How long to wait for a lock, in milliseconds; default 3000. */
  lock_timeout?: number;
}

/**
 * Settings that make PostgreSQL plan each statement once, for index scans. Planning a small batch costs twice as much as
 * writing it, and a plan made while the tables are empty must still be good when they are full. Function files set them
 * by `:pinned_plans`.
 */
export const PINNED_PLANS = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  jit: 'off',
} as const;

/**
 * How long a statement waits for a lock on a connection that others share, in milliseconds. Meanwhile they wait, too: whoever
 * opens the connection tries again later what needed the lock.
 */
export const SHARED_LOCK_TIMEOUT = { lock_timeout: 100 } as const;

export interface DedicatedConnectionOptions {
  url: string;
  /** Shown in pg_stat_activity, after `streamgate`. */
  name: string;
  settings?: ConnectionSettings;
  log: DatabaseLog;
  /** How long a query may take in milliseconds, waiting and connecting included; default 5000. */
  deadlineMs?: number;
}

/** A statement, prepared once on each connection under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

interface OpenConnection {
  readonly client: Client;
  readonly socket: Socket;
}

const DEADLINE_MS = 5000;
const FIRST_BACKOFF_MS = 100;
/** The longest backoff before connecting, as a share of the deadline: with a longer one, no query could connect in time. */
const LONGEST_BACKOFF = 0.25;
/** More could not be worked off before their deadlines. */
const MAX_WAITING = 10_000;
const CLOSE_TIMEOUT_MS = 1000;
/** Shorter than the deadline, so that the server ends a slow statement and the connection stays usable. */
const LIMITS = { statement_timeout: 4000, lock_timeout: 3000, idle_in_transaction_session_timeout: 5000 };

/**
 * A connection outside the pool, for hot statements. Runs one query at a time, in the order of the calls. Connects on first
 * use, and again after it is lost; the query that was running then rejects, and may have been committed. At most 10,000
 * queries wait (P7).
 * @example
 * const connection = connections.open('acks', { settings: PINNED_PLANS });
 * const ACK = { name: 'ack_messages', text: 'select * from ack_messages($1, $2, $3, $4)' };
 * const rows = await connection.query<AckRow>(ACK, [userIds, conversationIds, delivered, read]);
 */
export class DedicatedConnection {
  private open: OpenConnection | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private waiting = 0;
  /** How often the connection was lost, or not made, since it last did any work. */
  private failures = 0;
  private closing: Promise<void> | undefined;

  constructor(private readonly options: DedicatedConnectionOptions) {}

  /**
   * Resolves with the rows of `statement`. A session that cannot do its work any more is replaced, and the statement runs on
   * the next one if it did nothing on this one.
   * @throws {DomainError} `timeout` at the deadline, `overloaded` at once when too many queries are waiting,
   * `server_draining` after {@link close}; else the driver's error, with PostgreSQL's SQLSTATE as its `code`: see
   * `toDatabaseError`.
   */
  query<T>(statement: Statement, values: readonly unknown[]): Promise<T[]> {
    if (this.closing) {
      return Promise.reject(new DomainError('server_draining', 'The server is shutting down.'));
    }
    if (this.waiting >= MAX_WAITING) return Promise.reject(overloaded());
    this.waiting += 1;
    const deadline = performance.now() + this.deadlineMs;
    const result = this.turn
      .then(() => this.run<T>(statement, values, deadline))
      .finally(() => {
        this.waiting -= 1;
      });
    this.turn = result.catch(() => {}); // Only its own caller learns of an error.
    return result;
  }

  /** Waits for the queries that have been called, then closes the connection. Later queries are refused. */
  close(): Promise<void> {
    this.closing ??= this.turn.then(() => this.end());
    return this.closing;
  }

  private get deadlineMs(): number {
    return this.options.deadlineMs ?? DEADLINE_MS;
  }

  private async run<T>(statement: Statement, values: readonly unknown[], deadline: number): Promise<T[]> {
    const leftMs = deadline - performance.now();
    // The query never began: the connection is not to blame, and the next in line needs it.
    if (leftMs <= 0) throw tooSlow();
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(tooSlow()), leftMs);
    try {
      return await this.attempt<T>(statement, values, abort.signal).catch((error: unknown) => {
        if (!isRefusedBySession(error)) throw error;
        return this.attempt<T>(statement, values, abort.signal);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  private async attempt<T>(
    statement: Statement,
    values: readonly unknown[],
    signal: AbortSignal,
  ): Promise<T[]> {
    try {
      const rows = await withAbort(this.execute<T>(statement, values, signal), signal);
      this.failures = 0;
      return rows;
    } catch (error) {
      if (error instanceof DomainError || isSessionFault(error)) this.drop(error as Error);
      else if (this.open) this.failures = 0;
      throw error;
    }
  }

  private async execute<T>(
    statement: Statement,
    values: readonly unknown[],
    signal: AbortSignal,
  ): Promise<T[]> {
    const { client } = this.open ?? (await this.connect(signal));
    signal.throwIfAborted();
    const { rows } = await client.query<T & object>({ ...statement, values: [...values] });
    return rows;
  }

  private async connect(signal: AbortSignal): Promise<OpenConnection> {
    const { url, name, settings, log } = this.options;
    // A session that worked until it was lost is replaced at once.
    if (this.failures > 1) {
      const backoff = Math.min(
        this.deadlineMs * LONGEST_BACKOFF,
        FIRST_BACKOFF_MS * 2 ** (this.failures - 2),
      );
      await delay(backoff, undefined, { signal });
    }
    // Our own socket can be destroyed whatever the driver is waiting for.
    const socket = new Socket();
    const client = new Client({
      connectionString: url,
      application_name: `streamgate ${name}`,
      stream: () => socket,
      keepAlive: true,
    });
    const connection = { client, socket };
    this.open = connection;
    client.on('error', (error) => {
      if (this.open === connection) this.drop(error);
    });
    try {
      await client.connect();
      await prepareSession(client, { ...LIMITS, ...settings });
    } catch (error) {
      if (this.open === connection) this.drop(error as Error);
      throw error;
    }
    if (this.failures > 0) log.info('reconnected to the database', { connection: name });
    return connection;
  }

  /** Destroys the connection; the next query opens another. */
  private drop(error: Error): void {
    const connection = this.open;
    if (!connection) return;
    this.open = undefined;
    this.failures += 1;
    connection.socket.destroy();
    const fields = { connection: this.options.name, reason: error.message };
    this.options.log.warn('lost a connection to the database', fields);
  }

  private async end(): Promise<void> {
    const connection = this.open;
    if (!connection) return;
    this.open = undefined;
    const timer = setTimeout(() => connection.socket.destroy(), CLOSE_TIMEOUT_MS);
    await connection.client.end().finally(() => clearTimeout(timer));
  }
}

function tooSlow(): DomainError {
  return new DomainError('timeout', 'The database did not respond in time. Send the request again.');
}
