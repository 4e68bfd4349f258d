import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { toDatabaseError } from './errors.js';
import type { DatabaseLog } from './log.js';
import { StartError } from './start-error.js';

export interface WaitOptions {
  url: string;
  log: DatabaseLog;
  /** How long to wait for a server that does not accept connections yet, in milliseconds; default 30000. */
  deadlineMs?: number;
}

const DEADLINE_MS = 30_000;
const RETRY_MS = 250;
const LOG_INTERVAL_MS = 5000;
const CONNECT_MS = 5000;
const OLDEST_MAJOR = 15;

/**
 * Waits until the server of DATABASE_URL accepts connections.
 * @throws {StartError} at the deadline, and at once where waiting does not help: wrong credentials, an unknown
 * database, a PostgreSQL older than 15. Never shows the password.
 */
export async function waitForDatabase({ url, log, deadlineMs = DEADLINE_MS }: WaitOptions): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  const place = describe(url);
  let logAt = Date.now();
  for (;;) {
    const left = deadline - Date.now();
    const fault = await tryOnce(url, place, Math.max(1, Math.min(CONNECT_MS, left)));
    if (!fault) return;
    if (Date.now() + RETRY_MS > deadline) {
      throw new StartError(
        `PostgreSQL at ${place} did not answer within ${deadlineMs / 1000} s (${fault}): start it, or correct DATABASE_URL.`,
      );
    }
    if (Date.now() >= logAt) {
      log.info('waiting for PostgreSQL', { database: place, reason: fault });
      logAt = Date.now() + LOG_INTERVAL_MS;
    }
    await delay(RETRY_MS);
  }
}

/** Returns undefined if the server can be used, or why it cannot be used yet. */
async function tryOnce(url: string, place: string, timeoutMs: number): Promise<string | undefined> {
  const client = new Client({
    connectionString: url,
    application_name: 'streamgate start',
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  });
  client.on('error', () => {}); // The pending call rejects with it as well.
  try {
    await client.connect();
    const { rows } = await client.query<{ version: number }>(
      `select current_setting('server_version_num')::int as version`,
    );
    refuseOld(Math.floor((rows[0]?.version ?? 0) / 10_000), place);
    return undefined;
  } catch (error) {
    if (error instanceof StartError) throw error;
    const message = messageOf(error);
    if (toDatabaseError(error).code === 'timeout' || message === 'Query read timeout') return message;
    throw new StartError(`PostgreSQL at ${place} refuses the connection: ${message}; correct DATABASE_URL.`, {
      cause: error,
    });
  } finally {
    // Not awaited: after a timeout the server may never close the connection.
    void client.end().catch(() => {});
  }
}

function refuseOld(major: number, place: string): void {
  if (major >= OLDEST_MAJOR) return;
  throw new StartError(
    `PostgreSQL at ${place} is version ${major}, and Streamgate needs ${OLDEST_MAJOR} or later: upgrade it, or set DATABASE_URL to another.`,
  );
}

/** The URL without its password and options. */
function describe(url: string): string {
  const { username, host, pathname } = new URL(url);
  return `${username && `${username}@`}${host}${pathname}`;
}

/** A host whose addresses all fail gives an AggregateError with an empty message. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}
