import { Client } from 'pg';
import { sleep, withAbort } from '../../common/deadline.js';
import { isAway } from './errors.js';
import type { DatabaseLog } from './log.js';
import { faultsOf, readServerFacts } from './server-facts.js';
import { StartError } from './start-error.js';

export interface WaitOptions {
  url: string;
  log: DatabaseLog;
  /** How long to wait for a server that does not accept connections yet, in milliseconds; default 30000. */
  deadlineMs?: number;
  /** Ends the wait. */
  signal?: AbortSignal;
}

const DEADLINE_MS = 30_000;
const RETRY_MS = 250;
const LOG_INTERVAL_MS = 5000;
const CONNECT_MS = 5000;
/** What PgBouncer refuses for good. It has one SQLSTATE for all its errors, that of a lost connection. */
const POOLER_REFUSAL =
  /^(unsupported startup parameter|no such (database|user)|(database|role) ".*" does not exist|(auth|(password|SASL) authentication) failed)/i;
/** What to do about a refusal, by what the driver, TLS or PostgreSQL says. */
const REMEDIES: readonly (readonly [words: RegExp, remedy: string])[] = [
  [
    /certificate/i,
    'name the file of its authority in DATABASE_URL by sslrootcert=, or do not check it, by sslmode=no-verify',
  ],
  [/does not support SSL/, 'remove sslmode and ssl from DATABASE_URL, or turn ssl on there'],
  [
    /no pg_hba\.conf entry .*(no encryption|SSL off)/,
    'it may want TLS: add sslmode=verify-full to DATABASE_URL',
  ],
  [/password must be a (non-empty )?string/, 'DATABASE_URL has no password'],
];

/** Why the server cannot be used yet. */
interface Wait {
  /** What it does, as the verb of a sentence. */
  state: 'did not answer' | 'could not be used';
  reason: string;
  /** What to do if it stays so. */
  remedy: string;
}

/**
 * Waits until the server of DATABASE_URL can be used.
 * @throws {StartError} at the deadline, and at once where waiting does not help: wrong credentials, an unknown database, a
 * PostgreSQL older than 15, another encoding than UTF8, a pooler that shares sessions, a user who may not create tables.
 * Never shows the password.
 */
export async function waitForDatabase({
  url,
  log,
  deadlineMs = DEADLINE_MS,
  signal = new AbortController().signal,
}: WaitOptions): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  const place = describe(url);
  let logAt = Date.now();
  let last: Wait | undefined;
  for (;;) {
    const left = Math.max(1, deadline - Date.now());
    const result = await withAbort(tryOnce(url, place, Math.min(CONNECT_MS, left)), signal);
    if (!result) return;
    // A last try that the deadline cuts short says less than the one before.
    const wait = left < CONNECT_MS && result.state === 'did not answer' ? (last ?? result) : result;
    last = wait;
    if (Date.now() + RETRY_MS > deadline) {
      throw new StartError(
        `PostgreSQL at ${place} ${wait.state} within ${deadlineMs / 1000} s (${wait.reason}): ${wait.remedy}.`,
      );
    }
    if (Date.now() >= logAt) {
      log.info('waiting for PostgreSQL', { database: place, reason: wait.reason });
      logAt = Date.now() + LOG_INTERVAL_MS;
    }
    await sleep(RETRY_MS, signal);
  }
}

/** Returns undefined if the server can be used, or why it cannot be used yet. */
async function tryOnce(url: string, place: string, timeoutMs: number): Promise<Wait | undefined> {
  const clients: Client[] = [];
  const connect = async (): Promise<Client> => {
    const client = new Client({
      connectionString: url,
      application_name: 'streamgate start',
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
    });
    clients.push(client);
    client.on('error', () => {}); // The pending call rejects with it as well.
    await client.connect();
    return client;
  };
  try {
    const [fault] = faultsOf(await readServerFacts(await connect(), connect));
    if (!fault) return undefined;
    if (fault.passes)
      return { state: 'could not be used', reason: `it ${fault.message}`, remedy: fault.remedy };
    throw new StartError(`PostgreSQL at ${place} ${fault.message}: ${fault.remedy}.`);
  } catch (error) {
    if (error instanceof StartError) throw error;
    return waitFor(error, place);
  } finally {
    // Not awaited: after a timeout the server may never close the connection.
    for (const client of clients) void client.end().catch(() => {});
  }
}

/** @throws {StartError} where waiting does not help. */
function waitFor(error: unknown, place: string): Wait {
  const message = messageOf(error);
  const isPassing = (isAway(error) && !isFileFault(error)) || message === 'Query read timeout';
  if (isPassing && !POOLER_REFUSAL.test(message)) {
    return { state: 'did not answer', reason: message, remedy: 'start it, or correct DATABASE_URL' };
  }
  throw new StartError(`PostgreSQL at ${place} refuses the connection: ${message}; ${remedyFor(message)}.`, {
    cause: error,
  });
}

function remedyFor(message: string): string {
  return REMEDIES.find(([words]) => words.test(message))?.[1] ?? 'correct DATABASE_URL';
}

/** Whether a file that DATABASE_URL names, such as `sslrootcert`, cannot be read. */
function isFileFault(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'open';
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
